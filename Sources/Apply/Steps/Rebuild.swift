import Base
import Checkpoints
import PatchFormat

/// A checkpoint with patches to apply, readable tensor by tensor or written out.
package struct Rebuild: Sendable {
  package let input: SafetensorsCheckpoint
  /// From the input to the output.
  package let steps: [PatchStep]
  package let work: WorkOptions

  package init(_ input: SafetensorsCheckpoint, _ steps: [PatchStep], _ work: WorkOptions) {
    precondition(!steps.isEmpty)
    self.input = input
    self.steps = steps
    self.work = work
  }

  /// A tensor that some step touches.
  package struct Touched: Sendable {
    package let name: String
    package let input: FingerprintedTensor?
    package let output: FingerprintedTensor?
  }

  /// The tensors that the steps change, in ascending order of name, except those that a later step changes back.
  package var touched: [Touched] {
    let names = steps.flatMap { $0.patch.header.touched.map(\.name) }
    var seen: Set<String> = []
    return names.filter { seen.insert($0.bytesKey).inserted }.sorted { $0.precedes($1) }.map { name -> Touched in
      let first = steps[0]
      let last = steps[steps.count - 1]
      return Touched(
        name: name, input: first.patch.tensor(named: name).flatMap(first.input),
        output: last.patch.tensor(named: name).flatMap(last.output))
    }.filter { $0.input != $0.output }
  }

  /// The output, tensor by tensor.
  package var view: ModelView { ModelView(input, steps) }

  /// The tensor after the steps; nil where it is removed.
  package func source(_ name: String) -> (any TensorSource)? { view.source(name) }

  /// Rebuilds one tensor, passes its pieces to `body`, and checks its fingerprint.
  package func rebuild(
    _ tensor: FingerprintedTensor, over stored: (any TensorSource)? = nil,
    _ body: (_ offset: Int, _ bytes: UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let source = (stored.map { view.source(tensor.info.name, over: $0) } ?? self.source(tensor.info.name))!
    let hasher = tensor.info.fingerprintHasher()
    // The pieces in which the last patch decodes it, so that nothing is decoded twice or copied.
    let ranges = (source as? PatchedTensor)?.pieceRanges ?? []
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(ranges.map(\.count).max() ?? 0, 1), alignment: 64)
    defer { buffer.deallocate() }
    for range in ranges {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count])
      try source.read(into: piece, at: range.lowerBound)
      hasher.update(UnsafeRawBufferPointer(piece))
      try body(range.lowerBound, UnsafeRawBufferPointer(piece))
      work.progress.advance(range.count)
    }
    guard hasher.finalize() == tensor.fingerprint else {
      throw VPatchError(
        .mismatch, steps[steps.count - 1].patch.label,
        "does not produce the recorded tensor \"\(tensor.info.name.printable)\"",
        remedy: "was the model changed meanwhile? If not, this is a bug in vpatch: please report it")
    }
  }

  /// Rebuilds all touched tensors in memory and checks their fingerprints. Writes nothing.
  /// - Returns: bytes rebuilt.
  package func check(full: Bool = false) throws -> Int {
    try checkNames(steps[0])
    let touched = self.touched
    let sizes = touched.map { $0.output?.info.byteCount ?? 0 }
    work.progress.begin("rebuilding", total: sizes.reduce(0, +))
    do {
      // Nothing is written here, so the input may be hashed in the same pass.
      _ = try LargestFirst.map(sizes, threads: work.threads) { i in try rebuildChecked(touched[i]) { _, _ in } }
      if full { try checkInput(full: true) }
      try input.requireSameBytes()
    } catch {
      // A wrong input can cause various errors. If that is the cause, this throws the right one.
      try checkInput(full: false)
      throw error
    }
    return sizes.reduce(0, +)
  }

  /// Rebuilds a tensor and checks the input's fingerprint in the same pass. The pieces are only valid if this does not
  /// throw: they may come from a wrong input.
  package func rebuildChecked(
    _ tensor: Touched, _ body: (_ offset: Int, _ bytes: UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let stored = input.tensor(named: tensor.name).map { HashedTensor(StoredTensor($0, in: input)) }
    if let output = tensor.output { try rebuild(output, over: stored, body) }
    guard try stored?.finish() == tensor.input?.fingerprint else {
      throw VPatchError(.wrongBase, input.path, "differs in the tensor \"\(tensor.name.printable)\"")
    }
  }
}
