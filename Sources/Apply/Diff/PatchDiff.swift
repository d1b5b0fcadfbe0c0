import Base
import Checkpoints
import PatchFormat
import Synchronization

/// Compares two patches: which tensors both touch and, given the base, how similar their deltas are.
package struct PatchDiff: Sendable {
  package let a: Patch
  package let b: Patch
  package let shared: [String]
  package let onlyA: [String]
  package let onlyB: [String]
  /// Per shared float tensor; nil without the base.
  package let deltas: [Delta]?

  package struct Delta: Sendable {
    package let name: String
    package internal(set) var elements = 0
    /// Weights that both patches change.
    package internal(set) var movedByBoth = 0
    /// How many of these they change in opposite directions.
    package internal(set) var conflicts = 0
    var dot = 0.0
    var squaresA = 0.0
    var squaresB = 0.0

    /// Cosine of the deltas tuned − base; nil where one is zero.
    package var cosine: Double? {
      squaresA > 0 && squaresB > 0 ? dot / (squaresA.squareRoot() * squaresB.squareRoot()) : nil
    }
    package var conflictShare: Double? { movedByBoth > 0 ? Double(conflicts) / Double(movedByBoth) : nil }

    /// Adds `count` weights of the base and of both results. Values that are not finite are only counted.
    package mutating func add(
      _ base: UnsafeMutablePointer<Double>, _ a: UnsafeMutablePointer<Double>, _ b: UnsafeMutablePointer<Double>,
      _ count: Int
    ) {
      elements += count
      for i in 0..<count {
        let da = a[i] - base[i]
        let db = b[i] - base[i]
        guard da.isFinite, db.isFinite else { continue }
        dot += da * db
        squaresA += da * da
        squaresB += db * db
        if da != 0, db != 0 {
          movedByBoth += 1
          if (da < 0) != (db < 0) { conflicts += 1 }
        }
      }
    }

    package mutating func add(_ other: Delta) {
      elements += other.elements
      movedByBoth += other.movedByBoth
      conflicts += other.conflicts
      dot += other.dot
      squaresA += other.squaresA
      squaresB += other.squaresB
    }
  }

  /// - Parameter base: the base of both patches; nil to do without deltas.
  package init(_ a: Patch, _ b: Patch, base: SafetensorsCheckpoint?, _ work: WorkOptions) throws {
    self.a = a
    self.b = b
    let names = [a, b].map { $0.header.touched.map(\.name) }
    let sets = names.map { Set($0.map(\.bytesKey)) }
    shared = names[0].filter { sets[1].contains($0.bytesKey) }
    onlyA = names[0].filter { !sets[1].contains($0.bytesKey) }
    onlyB = names[1].filter { !sets[0].contains($0.bytesKey) }
    guard let base else {
      deltas = nil
      return
    }
    let rebuilds = [a, b].map { Rebuild(base, [PatchStep($0, .forward)], work) }
    for rebuild in rebuilds { try rebuild.checkInput(full: false) }
    let comparable = shared.filter { name in
      [a, b].allSatisfy { patch in
        let tensor = patch.tensor(named: name)!
        return tensor.operation == .change && tensor.base!.info.dtype.element.isFloat
      }
    }
    let sizes = comparable.map { a.tensor(named: $0)!.base!.info.byteCount }
    work.progress.begin("comparing", total: sizes.reduce(0, +))
    deltas = try LargestFirst.map(sizes, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      return try Self.delta(comparable[i], base, rebuilds)
    }
    try base.requireSameBytes()
  }

  private static func delta(_ name: String, _ base: SafetensorsCheckpoint, _ rebuilds: [Rebuild]) throws -> Delta {
    let stored = base.tensor(named: name)!
    let (first, second) = (rebuilds[0].source(name)!, rebuilds[1].source(name)!)
    var sum = Delta(name: name)
    // Every dtype with differences in float order has a number reader.
    let reader = NumberReader(stored.info.dtype)!
    let most = min(TensorPiece.size, max(stored.info.byteCount, reader.width))
    let pieces = (0..<2).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: most, alignment: 64) }
    let numbers = (0..<3).map { _ in UnsafeMutablePointer<Double>.allocate(capacity: most / reader.width) }
    defer {
      for piece in pieces { piece.deallocate() }
      for number in numbers { number.deallocate() }
    }
    try StoredTensor(stored, in: base).forEachPiece { offset, bytes in
      try first.read(into: UnsafeMutableRawBufferPointer(rebasing: pieces[0][..<bytes.count]), at: offset)
      try second.read(into: UnsafeMutableRawBufferPointer(rebasing: pieces[1][..<bytes.count]), at: offset)
      let count = bytes.count / reader.width
      reader.read(bytes.baseAddress!, count, numbers[0])
      reader.read(pieces[0].baseAddress!, count, numbers[1])
      reader.read(pieces[1].baseAddress!, count, numbers[2])
      sum.add(numbers[0], numbers[1], numbers[2], count)
    }
    return sum
  }

  package var total: Delta? {
    deltas.map { $0.reduce(into: Delta(name: "total")) { $0.add($1) } }
  }

  package var isSameBase: Bool { a.header.baseRoot == b.header.baseRoot }

  package var json: JSON {
    func record(_ delta: Delta) -> JSON {
      .dictionary([
        "name": .string(delta.name), "weights": JSON(delta.elements), "cosine": delta.cosine.map { JSON($0) } ?? .null,
        "moved_by_both": JSON(delta.movedByBoth), "sign_conflicts": JSON(delta.conflicts),
        "conflict_share": delta.conflictShare.map { JSON($0) } ?? .null,
      ])
    }
    func names(_ list: [String]) -> JSON { .array(list.map { .string($0) }) }
    return .dictionary([
      "a": .string(a.identity.hex), "b": .string(b.identity.hex), "same_base": .bool(isSameBase),
      "shared": names(shared), "only_a": names(onlyA), "only_b": names(onlyB),
      "total": total.map(record), "deltas": deltas.map { .array($0.map(record)) },
    ])
  }
}

/// Converts running totals, reported from any thread, into increments.
package final class LastValue: Sendable {
  private let value = Mutex(0)
  package init() {}
  package func step(to now: Int) -> Int {
    value.withLock { last in
      let step = max(0, now - last)
      last = max(last, now)
      return step
    }
  }
}
