// How the encoder chooses classes, context maps and tables. None of this is part of the format: a better choice gives a
// smaller chunk that every reader can decode. All arithmetic uses integers or exactly rounded floating-point
// operations, so that every machine makes the same choice.

/// The encoder's data about a chunk, from which it chooses a model.
struct UlpStatistics {
  /// The scale of each element of the base.
  package let scales: UnsafeBufferPointer<UInt8>
  /// The symbol of each element.
  package let symbols: UnsafeBufferPointer<UInt8>
  /// A group size that fits the rows, a multiple of 16; nil where rows suggest none.
  package let rowLength: Int?

  package var count: Int { symbols.count }
}

extension UlpModel {
  /// Tries two models, all rows in one class and rows in four classes, and returns the one with fewer bits.
  static func fit(_ statistics: UlpStatistics) -> UlpModel {
    guard let row = statistics.rowLength, statistics.count / row >= 16 else {
      let whole = ContextHistograms(statistics, groupSize: max(statistics.count, 1), classes: [0], classCount: 1)
      return draft(whole, groupSize: max(statistics.count, 1), classes: [0]).model
    }
    let classes = classify(statistics, groupSize: row)
    let histograms = ContextHistograms(statistics, groupSize: row, classes: classes, classCount: classCount)
    let sorted = draft(histograms, groupSize: row, classes: classes)
    let alike = draft(histograms.joined(), groupSize: statistics.count, classes: [0])
    return sorted.cost < alike.cost ? sorted.model : alike.model
  }

  private static let classCount = 4
  /// Number of elements, evenly spread over a row, that are sampled to determine its class.
  private static let sample = 192

  /// A model and its cost in units of 2⁻¹⁶ bits.
  private struct Draft {
    let model: UlpModel
    let cost: Int64
  }

  // MARK: Classes

  /// Sorts groups into classes of similar change size, then moves each group to the class with the lowest cost.
  private static func classify(_ s: UlpStatistics, groupSize: Int) -> [UInt8] {
    let groupCount = (s.count + groupSize - 1) / groupSize
    let stride = max(1, groupSize / sample)
    let sizes = meanChanges(s, groupSize: groupSize, groupCount: groupCount, stride: stride)
    let ranked = sizes.indices.sorted { (sizes[$0], $0) < (sizes[$1], $1) }
    var classes = [UInt8](repeating: 0, count: groupCount)
    for (rank, group) in ranked.enumerated() { classes[group] = UInt8(rank * classCount / groupCount) }
    let histograms = ContextHistograms(
      s, groupSize: groupSize, classes: classes, classCount: classCount, stride: stride)
    return cheapest(s, groupSize: groupSize, groupCount: groupCount, stride: stride, histograms)
  }

  /// For each group the sum of |difference| × 2^scale, which is proportional to the mean absolute change.
  private static func meanChanges(_ s: UlpStatistics, groupSize: Int, groupCount: Int, stride: Int) -> [Double] {
    // Dtypes other than BF16 and F32 have smaller exponent ranges. The offset of the scale does not matter.
    var scale = [Double](repeating: 1, count: 256)
    for e in 1..<256 { scale[e] = scale[e - 1] * (e > 64 && e < 192 ? 2 : 1) }
    let magnitude = (0..<256).map {
      Double(UlpSymbol.smallestMagnitude(ofIndex: min(UlpSymbol.index(ofSymbol: $0), 70)))
    }
    return (0..<groupCount).map { group in
      var sum = 0.0
      var i = group * groupSize
      let end = min(i + groupSize, s.count)
      while i < end {
        sum += magnitude[Int(s.symbols[i])] * scale[Int(s.scales[i])]
        i += stride
      }
      return sum
    }
  }

  private static func cheapest(
    _ s: UlpStatistics, groupSize: Int, groupCount: Int, stride: Int, _ histograms: ContextHistograms
  ) -> [UInt8] {
    // The cost of a symbol at a scale in each of the four classes, in units of 2⁻⁸ bits, for one vector load.
    var costs = [SIMD4<Int32>](repeating: .zero, count: 256 * 256)
    for e in histograms.usedScales {
      for c in 0..<classCount {
        let row = histograms.row(class: c, scale: e)
        // Smoothing: a symbol that a class does not contain is expensive, not impossible.
        let whole = FixedLog.log2(row.reduce(0) { $0 + Int($1) } * 16 + 256)
        for symbol in 0..<256 {
          costs[e << 8 | symbol][c] = Int32((whole - FixedLog.log2(Int(row[symbol]) * 16 + 1)) >> 8)
        }
      }
    }
    return costs.withUnsafeBufferPointer { costs in
      (0..<groupCount).map { group in
        var sum = SIMD4<Int32>.zero
        var i = group * groupSize
        let end = min(i + groupSize, s.count)
        while i < end {
          sum &+= costs[Int(s.scales[i]) << 8 | Int(s.symbols[i])]
          i += stride
        }
        return UInt8((0..<classCount).min { sum[$0] < sum[$1] }!)
      }
    }
  }

  // MARK: Tables

  private static func draft(_ histograms: ContextHistograms, groupSize: Int, classes: [UInt8]) -> Draft {
    let classCount = histograms.classCount
    var clusters = TableClusters()
    for c in 0..<classCount {
      for e in histograms.usedScales { clusters.add(histograms.row(class: c, scale: e), context: c << 8 | e) }
    }
    clusters.merge(downTo: maximumTables)
    let tableOf = clusters.tableOfContext
    var mapBits: Int64 = 0
    let maps = (0..<classCount).map { c -> ContextMap in
      let used = histograms.usedScales.filter { tableOf[c << 8 | $0] != nil }
      guard let first = used.first, let last = used.last else { return ContextMap(first: 0, tables: [0]) }
      let tables = (first...last).map { e in tableOf[c << 8 | e].map { UInt8($0) } ?? noTable }
      mapBits += 21 + zip(tables, tables.dropFirst()).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 6) }
      return ContextMap(first: first, tables: tables)
    }
    let classBits = classCount == 1 ? 0 : Int64(classes.count * (classCount == 2 ? 1 : 2) + 22)
    let model = UlpModel(
      groupSize: groupSize, classes: classes, maps: maps, tables: clusters.histograms.map { FrequencyTable(counts: $0) }
    )
    return Draft(model: model, cost: clusters.cost + (mapBits + classBits) << 16)
  }
}

/// How often each symbol occurs at each scale in each class.
private struct ContextHistograms {
  let classCount: Int
  let usedScales: [Int]
  /// Shape (class, scale, symbol).
  private let counts: [UInt32]

  /// - Parameter stride: only every `stride`-th element of a group is counted.
  init(_ s: UlpStatistics, groupSize: Int, classes: [UInt8], classCount: Int, stride: Int = 1) {
    var counts = [UInt32](repeating: 0, count: classCount << 16)
    counts.withUnsafeMutableBufferPointer { counts in
      for (group, c) in classes.enumerated() {
        var i = group * groupSize
        let end = min(i + groupSize, s.count)
        while i < end {
          counts[Int(c) << 16 | Int(s.scales[i]) << 8 | Int(s.symbols[i])] &+= 1
          i &+= stride
        }
      }
    }
    self.init(counts: counts, classCount: classCount)
  }

  private init(counts: [UInt32], classCount: Int) {
    self.counts = counts
    self.classCount = classCount
    usedScales = counts.withUnsafeBufferPointer { counts in
      (0..<256).filter { e in
        (0..<classCount).contains { c in
          let row = c << 16 | e << 8
          return counts[row..<row + 256].contains { $0 > 0 }
        }
      }
    }
  }

  /// All classes joined into one.
  func joined() -> ContextHistograms {
    var sum = Array(counts[0..<1 << 16])
    for c in 1..<classCount { for i in 0..<1 << 16 { sum[i] &+= counts[c << 16 | i] } }
    return ContextHistograms(counts: sum, classCount: 1)
  }

  /// The 256 counts of a class and scale.
  func row(class c: Int, scale e: Int) -> [UInt32] {
    let start = c << 16 | e << 8
    return Array(counts[start..<start + 256])
  }
}

/// Clusters of contexts that share a table where one table costs less than two.
private struct TableClusters {
  private struct Cluster {
    var counts: [UInt32]
    var span: Range<Int>
    var contexts: [Int]
    var cost: Int64
  }
  private var clusters: [Cluster] = []

  mutating func add(_ counts: [UInt32], context: Int) {
    guard let first = counts.firstIndex(where: { $0 > 0 }), let last = counts.lastIndex(where: { $0 > 0 }) else {
      return
    }
    let span = first..<last + 1
    clusters.append(Cluster(counts: counts, span: span, contexts: [context], cost: Self.cost(counts, counts, span)))
  }

  /// The cost (bits × 2¹⁶) of coding the sum of two histograms with one table, including the table itself.
  private static func cost(_ a: [UInt32], _ b: [UInt32], _ span: Range<Int>, adding: Bool = false) -> Int64 {
    var total = 0
    var sum: Int64 = 0
    for s in span {
      let n = Int(a[s]) + (adding ? Int(b[s]) : 0)
      total += n
      sum -= FixedLog.xlog2x(n)
    }
    // About the size of a table in section 5.1.3: 24 bits, and 4 for each symbol of the span.
    return sum + FixedLog.xlog2x(total) + Int64(24 + 4 * span.count) << 16
  }

  private static func saving(_ a: Cluster, _ b: Cluster) -> Int64 {
    a.cost + b.cost - cost(a.counts, b.counts, hull(a, b), adding: true)
  }

  private static func hull(_ a: Cluster, _ b: Cluster) -> Range<Int> {
    min(a.span.lowerBound, b.span.lowerBound)..<max(a.span.upperBound, b.span.upperBound)
  }

  /// Repeatedly merges the pair that saves most, until no merge saves and there are at most `limit` clusters.
  mutating func merge(downTo limit: Int) {
    var savings: [[Int64]] = clusters.indices.map { i in
      (0..<i).map { j in Self.saving(clusters[i], clusters[j]) }
    }
    while clusters.count > 1 {
      var best = (saving: Int64.min, i: 1, j: 0)
      for i in 1..<clusters.count {
        for j in 0..<i where savings[i][j] > best.saving { best = (savings[i][j], i, j) }
      }
      guard best.saving > 0 || clusters.count > limit else { break }
      let (i, j) = (best.i, best.j)
      let b = clusters.remove(at: i)
      savings.remove(at: i)
      for k in savings.indices where k >= i { savings[k].remove(at: i) }
      let span = Self.hull(clusters[j], b)
      clusters[j].cost = Self.cost(clusters[j].counts, b.counts, span, adding: true)
      clusters[j].span = span
      clusters[j].contexts += b.contexts
      for s in b.span { clusters[j].counts[s] += b.counts[s] }
      for k in clusters.indices where k != j {
        savings[max(j, k)][min(j, k)] = Self.saving(clusters[j], clusters[k])
      }
    }
    clusters.sort { $0.contexts.min()! < $1.contexts.min()! }
  }

  var cost: Int64 { clusters.reduce(0) { $0 + $1.cost } }
  var histograms: [[UInt32]] { clusters.map(\.counts) }
  var tableOfContext: [Int: Int] {
    var result: [Int: Int] = [:]
    for (table, cluster) in clusters.enumerated() { for context in cluster.contexts { result[context] = table } }
    return result
  }
}

/// Logarithms that are identical on every machine: results of the C library may differ in the last bit.
enum FixedLog {
  /// log₂ n in units of 2⁻¹⁶, for n ≥ 1; exact to about 2⁻¹².
  static func log2(_ n: Int) -> Int64 {
    let length = Int.bitWidth - n.leadingZeroBitCount
    if length <= 12 { return table[n] }
    let shift = length - 12
    let low = table[n >> shift]
    let high = n >> shift == 4095 ? 12 << 16 : table[n >> shift + 1]
    return low + ((high - low) * Int64(n & (1 << shift - 1))) >> Int64(shift) + Int64(shift) << 16
  }

  static func xlog2x(_ n: Int) -> Int64 { n < 2 ? 0 : Int64(n) * log2(n) }

  private static let table: [Int64] = (0..<4096).map { n in
    guard n > 1 else { return 0 }
    let length = 63 - n.leadingZeroBitCount
    // The mantissa in 1 … 2, in units of 2⁻³¹. Each squaring yields one more bit of the logarithm.
    var m = UInt64(n) << UInt64(31 - length)
    var fraction: Int64 = 0
    for _ in 0..<16 {
      m = (m * m) >> 31
      fraction <<= 1
      if m >= 1 << 32 {
        m >>= 1
        fraction |= 1
      }
    }
    return Int64(length) << 16 | fraction
  }
}
