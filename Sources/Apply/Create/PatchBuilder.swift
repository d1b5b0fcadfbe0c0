import Base
import Checkpoints
import PatchFormat

/// Makes the entries of a patch from tensors whose fingerprints are known on both sides: encodes the differences in
/// parallel. Everything is verified: what was read must match its fingerprint, and what was encoded must decode again,
/// in both directions.
package struct PatchBuilder: Sendable {
  /// A tensor of either side.
  package struct Tensor: Sendable {
    package let base: FingerprintedTensor?
    package let target: FingerprintedTensor?
    package let content: Content

    package var name: String { (base ?? target)!.info.name }
    package var operation: TensorOperation { TensorOperation.changing(base?.info, into: target?.info) }
  }

  package enum Content: Sendable {
    /// Both sides are the same.
    case same
    /// To be encoded. The closures are called from several threads; each call returns a source for one thread.
    case encoded(base: Source, target: Source)
    /// To be encoded, but only the differences are right: the fingerprints do not apply to these bytes.
    case differences(base: Source, target: Source)
    /// Equal, on each side that it has, to the tensor with this name.
    case copy(of: String)
    /// Another patch has exactly this entry.
    case copied(from: Patch, PatchTensor)
  }

  package typealias Source = @Sendable () throws -> (any TensorSource)?

  /// The source of each side's bytes, for messages.
  package let base: String
  package let target: String
  package let work: WorkOptions
  /// The adapter whose factors predict changes.
  var adapter: AdapterContext?
  /// Approximate size of a chunk in bytes.
  var chunkSize = 1 << 21

  /// One chunk to be encoded.
  private struct Job: Sendable {
    /// Index of the tensor.
    let tensor: Int
    let role: ChunkRole
    let range: Range<Int>
  }

  /// The proofs of a tensor's two sides. None where nothing is read, or where fingerprints do not apply.
  private struct Proofs: Sendable {
    let base: ReadingProof?
    let target: ReadingProof?

    init(_ tensor: Tensor, base: String, target: String) {
      var isEncoded = false
      if case .encoded = tensor.content { isEncoded = true }
      self.base = isEncoded ? tensor.base.map { ReadingProof($0, subject: base) } : nil
      self.target = isEncoded ? tensor.target.map { ReadingProof($0, subject: target) } : nil
    }

    func abandon(_ error: any Error) {
      base?.abandon(error)
      target?.abandon(error)
    }
  }

  /// What a patch's header lists.
  package struct Encoded: Sendable {
    /// For each tensor, in their order.
    package let entries: [PatchWriter.Entry]
    /// The tensors of the adapter that the patch needs or keeps.
    package let adapter: [PatchWriter.AdapterEntry]
    /// Whether these are all tensors of the adapter.
    package let isAdapterWhole: Bool
    /// Bytes of chunks of the low-rank coder, in whatever form they are stored: differences from the prediction, and
    /// choices between bases.
    package let residualBytes: Int
    package let choiceBytes: Int
  }

  /// A chunk in the forms in which it may be stored.
  struct EncodedChunk: Sendable {
    let plain: PatchWriter.ScratchChunk
    /// With the low-rank coder; nil where the tensor has no factors.
    let lowRank: PatchWriter.ScratchChunk?
    /// Bytes of its choices.
    var choiceBytes = 0
  }

  /// Writes all chunks of tensors that are changed without an adapter.
  /// - Returns: an entry for each tensor, in their order.
  /// - Throws: `io` where the bytes do not match the fingerprints.
  package func entries(_ tensors: [Tensor], _ writer: PatchWriter) throws -> [PatchWriter.Entry] {
    try encoded(tensors, writer).entries
  }

  /// Writes all chunks.
  /// - Throws: `io` where the bytes do not match the fingerprints.
  package func encoded(_ tensors: [Tensor], _ writer: PatchWriter) throws -> Encoded {
    // Largest tensors first, so that no large one runs alone at the end; each tensor front to back, as `ReadingProof`
    // requires.
    let sizes = tensors.map { ($0.base?.info.byteCount ?? 0) + ($0.target?.info.byteCount ?? 0) }
    let order = tensors.indices.sorted { (-sizes[$0], $0) < (-sizes[$1], $1) }
    let jobs = order.flatMap { i in self.jobs(i, tensors[i]) }
    let proofs = tensors.map { Proofs($0, base: base, target: target) }
    work.progress.begin("encoding", total: jobs.reduce(0) { $0 + $1.range.count })
    let chunks = try Parallel.map(jobs.count, threads: work.threads) { i in
      let job = jobs[i]
      defer { work.progress.advance(job.range.count) }
      do {
        let stored = try encode(job, tensors[job.tensor], proofs[job.tensor])
        return EncodedChunk(
          plain: try writer.add(stored.plain, role: job.role, decoded: job.range.count),
          lowRank: try stored.lowRank.map { try writer.add($0, role: job.role, decoded: job.range.count) },
          choiceBytes: stored.lowRank.map(ChunkCoder.choiceBytes) ?? 0)
      } catch {
        proofs[job.tensor].abandon(error)
        throw error
      }
    }
    var chunksOf: [Int: [EncodedChunk]] = [:]
    for (job, chunk) in zip(jobs, chunks) { chunksOf[job.tensor, default: []].append(chunk) }
    let kept = try adapter.map { try $0.choose(tensors.indices.map { (tensors[$0].name, chunksOf[$0] ?? []) }, writer) }
    let entries = try tensors.enumerated().map { i, tensor in
      switch tensor.content {
      case .same: PatchWriter.Entry(operation: .same, base: tensor.base, target: tensor.base, chunks: [])
      case .copy(let name):
        PatchWriter.Entry(
          operation: tensor.operation, base: tensor.base, target: tensor.target, chunks: [], copy: name)
      case .encoded, .differences:
        entry(tensor, chunksOf[i] ?? [], kept?.rules[tensor.name.bytesKey])
      case .copied(let patch, let entry):
        PatchWriter.Entry(
          operation: entry.operation, base: entry.base, target: entry.target,
          chunks: try entry.chunks.map { try writer.copy($0, of: patch) })
      }
    }
    let choiceBytes = chunks.reduce(0) { $0 + $1.choiceBytes }
    return Encoded(
      entries: entries, adapter: kept?.entries ?? [], isAdapterWhole: kept?.isWhole ?? false,
      residualBytes: chunks.reduce(0) { $0 + ($1.lowRank.map { $0.stored - ChunkCoder.lowRankOverhead } ?? 0) }
        - choiceBytes, choiceBytes: choiceBytes)
  }

  /// - Parameter rule: how the change follows from factors that the patch keeps.
  private func entry(_ tensor: Tensor, _ chunks: [EncodedChunk], _ rule: LowRank?) -> PatchWriter.Entry {
    PatchWriter.Entry(
      operation: tensor.operation, base: tensor.base, target: tensor.target,
      chunks: chunks.map { rule == nil ? $0.plain : $0.smallest }, lowRank: rule)
  }

  private func jobs(_ i: Int, _ tensor: Tensor) -> [Job] {
    switch tensor.content {
    case .same, .copy, .copied: return []
    case .encoded, .differences: break
    }
    let parts = PatchTensor.Parts(tensor.operation, tensor.base?.info, tensor.target?.info)
    let shared = parts.difference
    return split(shared, tensor.target?.info).map { Job(tensor: i, role: .difference, range: $0) }
      + split(parts.baseOnly, tensor.base?.info).map {
        Job(tensor: i, role: .base, range: $0.lowerBound + shared..<$0.upperBound + shared)
      }
      + split(parts.targetOnly, tensor.target?.info).map {
        Job(tensor: i, role: .target, range: $0.lowerBound + shared..<$0.upperBound + shared)
      }
  }

  /// Ranges of about a chunk's size, in whole rows where rows are shorter.
  private func split(_ length: Int, _ info: TensorInfo?) -> [Range<Int>] {
    guard length > 0 else { return [] }
    var step = chunkSize
    if let row = info?.rowBytes, row > 0, row <= chunkSize { step = chunkSize / row * row }
    return stride(from: 0, to: length, by: step).map { $0..<min($0 + step, length) }
  }

  private func encode(
    _ job: Job, _ tensor: Tensor, _ proofs: Proofs
  ) throws -> (plain: [UInt8], lowRank: [UInt8]?) {
    let (base, target, withContext): (Source, Source, Bool)
    switch tensor.content {
    case .encoded(let a, let b): (base, target, withContext) = (a, b, true)
    case .differences(let a, let b): (base, target, withContext) = (a, b, false)
    case .same, .copy, .copied: preconditionFailure("nothing to encode")
    }
    let format = ((job.role == .base ? tensor.base : tensor.target) ?? tensor.target!).info.dtype.element
    guard job.role == .difference else {
      let isBase = job.role == .base
      return try read(isBase ? base : target, job.range, isBase ? proofs.base : proofs.target) { bytes in
        let stored = ChunkCoder.encodeContent(bytes, format: format)
        try expect(bytes, tensor) { result in
          try stored.withUnsafeBytes { try ChunkCoder.decodeContent($0, into: result, format: format) }
        }
        return (stored, nil)
      }
    }
    let width = format.width
    let prediction =
      try withContext
      ? adapter?.factors(of: tensor.name).map {
        ChunkCoder.Prediction($0, elements: job.range.lowerBound / width..<job.range.upperBound / width)
      } : nil
    let rowLength = tensor.target?.info.shape.last.flatMap { $0 > 0 ? $0 : nil }
    return try read(base, job.range, proofs.base) { base in
      try read(target, job.range, proofs.target) { target in
        let stored = ChunkCoder.encodeDifference(
          base: base, target: target, format: format, rowLength: rowLength, withContext: withContext)
        let lowRank = prediction.map {
          ChunkCoder.encodeLowRank(base: base, target: target, format: format, rowLength: rowLength, $0)
        }
        for stored in [stored, lowRank].compactMap(\.self) {
          for (input, direction, output) in [(base, Direction.forward, target), (target, .backward, base)] {
            try expect(output, tensor) { result in
              try stored.withUnsafeBytes {
                try ChunkCoder.decodeDifference(
                  $0, from: input, into: result, format: format, direction: direction, prediction)
              }
            }
          }
        }
        return (stored, lowRank)
      }
    }
  }

  private func read<R>(
    _ source: Source, _ range: Range<Int>, _ proof: ReadingProof?, _ body: (UnsafeRawBufferPointer) throws -> R
  ) throws -> R {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 64)
    defer { buffer.deallocate() }
    try source()!.read(into: buffer, at: range.lowerBound)
    try proof?.pass(UnsafeRawBufferPointer(buffer), at: range.lowerBound)
    return try body(UnsafeRawBufferPointer(buffer))
  }

  /// Decodes what was encoded, as a reader does, and compares it with the original bytes.
  private func expect(
    _ bytes: UnsafeRawBufferPointer, _ tensor: Tensor, _ decode: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    let result = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
    defer { result.deallocate() }
    do {
      try decode(result)
      if UnsafeRawBufferPointer(result).elementsAreEqual(bytes) { return }
    } catch is ChunkError {
      // Reported below: a chunk that was just encoded must decode, or this is a bug.
    }
    throw VPatchError(
      .mismatch, target, "has the tensor \"\(tensor.name.printable)\" whose encoded chunk does not decode again",
      remedy: "this is a bug in vpatch: please report it")
  }
}
