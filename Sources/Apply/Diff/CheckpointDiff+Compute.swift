import Base
import Checkpoints
import Families
import Synchronization

extension CheckpointDiff {
  /// Compares two checkpoints. Memory use does not depend on their size, the result does not depend on the threads.
  ///
  /// - Parameters:
  ///   - keys: maps the names of `b` (as the tuned side) to those of `a`, if they have different layouts; without it,
  ///     tensors are paired by name.
  ///   - progress: called from any thread with the bytes done and in total (of both sides).
  package static func compute(
    _ a: any Checkpoint, _ b: any Checkpoint, keys: KeyMap? = nil, threads: Int,
    progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> CheckpointDiff {
    let layout = ModelLayout.recognise(names: a.tensors.lazy.map(\.name))
    let matching = Matching(a, b, keys: keys)
    func unmatched(_ a: CheckpointTensor?, _ b: CheckpointTensor?) -> Unmatched {
      Unmatched(component: layout.component(of: (a ?? b)!.name), a: a?.info, b: b?.info)
    }
    let pairs = matching.pairs.filter { $0.a.info.shape == $0.b.info.shape && $0.isComparable }
    let reshaped = matching.pairs.filter { $0.a.info.shape != $0.b.info.shape || !$0.isComparable }
    let changes = try measure(pairs, in: a, b, threads: threads, progress: progress)
    for model in [a, b] { try model.requireSameBytes() }
    return CheckpointDiff(
      a: Side(a), b: Side(b),
      tensors: zip(pairs, changes).map { pair, change in
        Tensor(
          name: pair.a.name, component: layout.component(of: pair.a.name), shape: pair.a.info.shape,
          dtype: pair.a.info.dtype, dtypeB: pair.b.info.dtype, change: change)
      },
      added: matching.onlyB.map { unmatched(nil, $0) },
      removed: matching.onlyA.map { unmatched($0, nil) },
      reshaped: reshaped.map { unmatched($0.a, $0.b) }, notes: try notes(a, b, keys: keys))
  }

  private static func notes(_ a: any Checkpoint, _ b: any Checkpoint, keys: KeyMap?) throws -> [String] {
    let problem = try ModelPair(base: a, tuned: b, keys: keys).problem(CreateOptions())
    return problem.map { ["As base and tuned model: \($0.isOfBase ? "A" : "B") \($0.reason)."] } ?? []
  }

  private static func measure(
    _ pairs: [Matching.Pair], in a: any Checkpoint, _ b: any Checkpoint, threads: Int,
    progress: (@Sendable (Int, Int) -> Void)?
  ) throws -> [Change] {
    // Large tensors are split into slices, always at the same places, so that all threads have work until the end.
    let slices = pairs.indices.flatMap { pair in
      stride(from: 0, to: max(pairs[pair].units, 1), by: Slice.units).map { start in
        Slice(pair: pair, start: start, end: min(start + Slice.units, pairs[pair].units))
      }
    }
    let total = pairs.reduce(0) { $0 + $1.byteCount }
    let done = Atomic<Int>(0)
    let parts = try Parallel.map(slices.count, threads: threads) { i in
      let slice = slices[i]
      let pair = pairs[slice.pair]
      let change = try slice.measure(pair, a.source(of: pair.a), b.source(of: pair.b))
      let bytes = slice.count * pair.bytesPerUnit
      let now = done.wrappingAdd(bytes, ordering: .relaxed).newValue
      progress?(now, total)
      return change
    }
    var changes = pairs.map { _ in Change() }
    for (slice, part) in zip(slices, parts) { changes[slice.pair].add(part) }
    return changes
  }
}

extension CheckpointDiff.Side {
  fileprivate init(_ checkpoint: any Checkpoint) {
    self.init(path: checkpoint.path, tensors: checkpoint.tensors.count, bytes: checkpoint.totalBytes)
  }
}

/// A run of elements of a pair of tensors, in the meter's units.
private struct Slice: Sendable {
  /// A multiple of the meter's block, so that slices do not change the block boundaries.
  static let units = 1 << 23

  let pair: Int
  let start: Int
  let end: Int
  var count: Int { end - start }

  /// Reads both sides in step, one piece at a time.
  func measure(_ pair: Matching.Pair, _ a: any TensorSource, _ b: any TensorSource) throws -> Change {
    let meter = PairMeter(a.info, b.info)
    // Pieces fit into the second-level cache and are whole blocks.
    let step = min(1 << 17 / max(meter.widthA, meter.widthB), count)
    let pieceA = UnsafeMutableRawBufferPointer.allocate(byteCount: max(step * meter.widthA, 1), alignment: 64)
    defer { pieceA.deallocate() }
    let pieceB = UnsafeMutableRawBufferPointer.allocate(byteCount: max(step * meter.widthB, 1), alignment: 64)
    defer { pieceB.deallocate() }
    var at = start
    while at < end {
      let n = min(step, end - at)
      try a.read(into: .init(rebasing: pieceA[..<(n * meter.widthA)]), at: at * meter.widthA)
      try b.read(into: .init(rebasing: pieceB[..<(n * meter.widthB)]), at: at * meter.widthB)
      meter.add(pieceA.baseAddress!, pieceB.baseAddress!, count: n)
      at += n
    }
    return meter.change
  }
}
