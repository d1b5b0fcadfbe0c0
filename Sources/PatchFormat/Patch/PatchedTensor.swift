import Base
import Checkpoints

/// A tensor with a patch applied: the target's from the base's, or the base's from the target's.
///
/// Reads decode the chunks they touch. The last chunk is kept, so sequential reads decode each chunk once.
package final class PatchedTensor: TensorSource {
  package let info: TensorInfo
  private let source: (any TensorSource)?
  private let patch: Patch
  private let direction: Direction
  /// The entry whose chunks are decoded: the tensor's own, or that of the one it is a copy of.
  private let entry: PatchTensor
  /// Chunks, with the offset of their decoded bytes in this tensor.
  private let pieces: [(chunk: Chunk, start: Int)]
  private let stored: UnsafeMutableRawBufferPointer
  private let input: UnsafeMutableRawBufferPointer
  private let output: UnsafeMutableRawBufferPointer
  private var decoded: Int?
  /// Read when a chunk first needs them.
  private var factors: Factors?

  /// - Parameter source: returns the other side's bytes of a tensor; nil where that side has no such tensor.
  /// - Returns: nil where this side has no such tensor.
  package init?(
    _ tensor: PatchTensor, of patch: Patch, _ direction: Direction, over source: (String) -> (any TensorSource)?
  ) {
    guard let side = direction == .forward ? tensor.target : tensor.base else { return nil }
    info = side.info
    entry = tensor.copy.flatMap(patch.tensor) ?? tensor
    // A copy that both sides have can be decoded from its own bytes, which are those of the original.
    self.source = source(tensor.base != nil && tensor.target != nil ? tensor.name : entry.name)
    self.patch = patch
    self.direction = direction
    let own: ChunkRole = direction == .forward ? .target : .base
    var start = 0
    pieces = entry.chunks.filter { $0.role == .difference || $0.role == own }.map { chunk in
      defer { start += chunk.decoded }
      return (chunk, start)
    }
    let largest = pieces.map(\.chunk.decoded).max() ?? 0
    stored = .allocate(byteCount: (pieces.map(\.chunk.stored).max() ?? 0) + 64, alignment: 64)
    input = .allocate(byteCount: largest, alignment: 64)
    output = .allocate(byteCount: largest, alignment: 64)
  }

  deinit {
    stored.deallocate()
    input.deallocate()
    output.deallocate()
  }

  /// The byte ranges of the pieces: reading exactly these needs no extra copy.
  package var pieceRanges: [Range<Int>] {
    guard entry.operation != .same else {
      return stride(from: 0, to: info.byteCount, by: TensorPiece.size).map {
        $0..<min($0 + TensorPiece.size, info.byteCount)
      }
    }
    return pieces.map { $0.start..<$0.start + $0.chunk.decoded }
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    // A copy of a tensor that the patch does not change.
    if entry.operation == .same { return try source!.read(into: buffer, at: offset) }
    var done = 0
    while done < buffer.count {
      let i = piece(at: offset + done)
      let start = pieces[i].start
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      if offset + done == start, rest.count >= pieces[i].chunk.decoded, Int(bitPattern: rest.baseAddress) % 8 == 0 {
        try decode(i, into: UnsafeMutableRawBufferPointer(rebasing: rest[..<pieces[i].chunk.decoded]))
        done += pieces[i].chunk.decoded
        continue
      }
      if decoded != i {
        decoded = nil
        try decode(i, into: UnsafeMutableRawBufferPointer(rebasing: output[..<pieces[i].chunk.decoded]))
        decoded = i
      }
      let skip = offset + done - start
      let n = min(rest.count, pieces[i].chunk.decoded - skip)
      rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: output[skip..<skip + n]))
      done += n
    }
  }

  /// The piece that holds a byte.
  private func piece(at offset: Int) -> Int { max(0, pieces.partitionPoint { $0.start <= offset } - 1) }

  private func decode(_ i: Int, into result: UnsafeMutableRawBufferPointer) throws {
    let (chunk, start) = pieces[i]
    let data = try patch.read(chunk, into: stored)
    do {
      guard chunk.role == .difference else {
        return try ChunkCoder.decodeContent(data, into: result, format: info.dtype.element)
      }
      let other = UnsafeMutableRawBufferPointer(rebasing: input[..<chunk.decoded])
      try source!.read(into: other, at: start)
      try ChunkCoder.decodeDifference(
        data, from: UnsafeRawBufferPointer(other), into: result, format: info.dtype.element, direction: direction,
        try prediction(start, chunk.decoded))
    } catch let error as ChunkError {
      throw VPatchError(.invalid, patch.label, "has a chunk of \"\(info.name.printable)\" that \(error.reason)")
    } catch let error as Zstd.Failure {
      throw VPatchError(.invalid, patch.label, "has a chunk of \"\(info.name.printable)\" that \(error.reason)")
    }
  }

  /// The low-rank prediction of a chunk; nil for a tensor without factors.
  private func prediction(_ start: Int, _ count: Int) throws -> ChunkCoder.Prediction? {
    guard let rule = entry.lowRank else { return nil }
    let factors = try self.factors ?? patch.factors(rule, of: info)
    self.factors = factors
    let width = info.dtype.element.width
    return ChunkCoder.Prediction(factors, elements: start / width..<(start + count) / width)
  }
}

extension Patch {
  /// The factors of a tensor's change.
  /// - Throws: `invalid` for chunks that do not decode.
  package func factors(_ rule: LowRank, of tensor: TensorInfo) throws -> Factors {
    let (u, v) = (header.adapter[rule.u.tensor], header.adapter[rule.v.tensor])
    return Factors(
      rule, of: tensor, u: .init(info: u.tensor.info, bytes: try bytes(of: u)),
      v: .init(info: v.tensor.info, bytes: try bytes(of: v)))
  }
}
