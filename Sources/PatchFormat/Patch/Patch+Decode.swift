import Base
import Checkpoints

extension Patch {
  /// Makes a tensor of one side from the bytes that the other side has, and checks its fingerprint.
  ///
  /// The output may be the input's memory. A tensor of up to 64 MiB is then decoded beside it and copied when it is
  /// right. A larger one is decoded where it is, after its fingerprint was checked, and taken back where that fails.
  /// - Parameters:
  ///   - input: the tensor on the other side; empty for one that the other side does not have.
  ///   - output: as many bytes as the tensor has on this side.
  ///   - largestCopy: largest tensor in bytes that is decoded beside its own memory.
  /// - Throws: `refused` for a tensor that is not changed, or bytes of other lengths; `wrongBase` for an input that is
  ///   not the other side's; `mismatch`; `io`, after which bytes decoded in place may be of either side.
  package func decode(
    _ tensor: PatchTensor, _ direction: Direction, from input: UnsafeRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer, largestCopy: Int = 64 << 20
  ) throws {
    let (from, to) = direction == .forward ? (tensor.base, tensor.target) : (tensor.target, tensor.base)
    guard tensor.operation != .same, let to else {
      throw VPatchError(.refused, label, "does not make a tensor \"\(tensor.name.printable)\"")
    }
    if let copy = tensor.copy, from == nil {
      throw VPatchError(
        .refused, label, "makes \"\(tensor.name.printable)\" as a copy of \"\(copy.printable)\"",
        remedy: "decode that one, and take the same bytes")
    }
    guard input.count == from?.info.byteCount ?? 0, output.count == to.info.byteCount else {
      throw VPatchError(
        .refused, label,
        "makes \"\(tensor.name.printable)\" of \(to.info.byteCount) bytes from \(from?.info.byteCount ?? 0), not of "
          + "\(output.count) from \(input.count)")
    }
    let isInPlace = input.baseAddress == UnsafeRawPointer(output.baseAddress) && !input.isEmpty
    guard isInPlace else { return try decodeChecked(tensor, direction, input, from, to, output) }
    if let from, input.count > largestCopy, input.count == output.count {
      try requireSide(tensor, from, input)
      return try decodeInPlace(tensor, direction, from, to, output)
    }
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: output.count, alignment: 64)
    defer { copy.deallocate() }
    try decodeChecked(tensor, direction, input, from, to, copy)
    output.copyMemory(from: UnsafeRawBufferPointer(copy))
  }

  private func decodeChecked(
    _ tensor: PatchTensor, _ direction: Direction, _ input: UnsafeRawBufferPointer, _ from: FingerprintedTensor?,
    _ to: FingerprintedTensor, _ output: UnsafeMutableRawBufferPointer
  ) throws {
    let source = from.map { MemoryTensor($0.info, input) }
    guard let patched = PatchedTensor(tensor, of: self, direction, over: { _ in source }) else { return }
    let hasher = to.info.fingerprintHasher()
    do {
      for range in patched.pieceRanges {
        let piece = UnsafeMutableRawBufferPointer(rebasing: output[range])
        try patched.read(into: piece, at: range.lowerBound)
        hasher.update(UnsafeRawBufferPointer(piece))
      }
      guard hasher.finalize() == to.fingerprint else { throw notMade(tensor) }
    } catch {
      // A wrong input can cause various errors. If that is the cause, this throws the right one.
      if let from { try requireSide(tensor, from, input) }
      throw error
    }
  }

  /// - Throws: `wrongBase` for bytes that are not a side's.
  private func requireSide(
    _ tensor: PatchTensor, _ side: FingerprintedTensor, _ bytes: UnsafeRawBufferPointer
  ) throws {
    guard try MemoryTensor(side.info, bytes).fingerprint() != side.fingerprint else { return }
    throw VPatchError(
      .wrongBase, label, "does not fit the bytes of \"\(tensor.name.printable)\"",
      remedy: "give the bytes of the model that it belongs to")
  }

  /// Both sides have the same length and chunks, since a tensor that is changed in place keeps its shape.
  private func decodeInPlace(
    _ tensor: PatchTensor, _ direction: Direction, _ from: FingerprintedTensor, _ to: FingerprintedTensor,
    _ bytes: UnsafeMutableRawBufferPointer
  ) throws {
    func pieces(_ direction: Direction, _ info: TensorInfo) -> PatchedTensor {
      PatchedTensor(tensor, of: self, direction) { _ in MemoryTensor(info, UnsafeRawBufferPointer(bytes)) }!
    }
    let forward = pieces(direction, from.info)
    let hasher = to.info.fingerprintHasher()
    var done: [Range<Int>] = []
    do {
      for range in forward.pieceRanges {
        let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[range])
        try forward.read(into: piece, at: range.lowerBound)
        done.append(range)
        hasher.update(UnsafeRawBufferPointer(piece))
      }
      guard hasher.finalize() == to.fingerprint else { throw notMade(tensor) }
    } catch {
      let backward = pieces(direction == .forward ? .backward : .forward, to.info)
      for range in done {
        try backward.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[range]), at: range.lowerBound)
      }
      throw error
    }
  }

  private func notMade(_ tensor: PatchTensor) -> VPatchError {
    VPatchError(
      .mismatch, label, "does not make the recorded tensor \"\(tensor.name.printable)\"",
      remedy: "were the bytes changed meanwhile? If not, this is a bug in vpatch: please report it")
  }
}
