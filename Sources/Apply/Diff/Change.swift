/// The difference between two sets of weights: of a tensor, or of several added together.
///
/// Kept as sums, so that adding is exact: the change of a component is that of one long vector of all its weights.
package struct Change: Hashable, Sendable {
  /// What the norms measure.
  package enum Numbers: Int, Sendable, Comparable {
    /// Nothing: the elements have an unknown dtype.
    case none
    case integers
    case floats

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  /// Number of elements; bytes where the dtype is unknown.
  package var elements = 0
  /// Elements whose bits differ.
  package var changed = 0
  /// Pairs that the norms exclude, because a side is NaN, infinite, or (F64) beyond ±1e140.
  package var nonFinite = 0
  package var numbers = Numbers.none
  /// Σ a², Σ b², Σ (b − a)² and Σ a·(b − a), over the pairs of finite numbers.
  var squaresA = 0.0
  var squaresB = 0.0
  var squaresDelta = 0.0
  var cross = 0.0
  var largestDelta = 0.0

  /// No weights.
  package static let zero = Change()

  package init() {}

  /// ‖a‖; nil where the elements are not numbers.
  package var normA: Double? { norm(squaresA) }
  package var normB: Double? { norm(squaresB) }
  /// ‖b − a‖.
  package var normDelta: Double? { norm(squaresDelta) }
  /// max |b − a|.
  package var maxDelta: Double? { numbers == .none ? nil : largestDelta }

  /// ‖b − a‖ / ‖a‖; nil where a is zero and b is not.
  package var relativeChange: Double? {
    guard numbers != .none else { return nil }
    if squaresDelta == 0 { return 0 }
    return squaresA > 0 ? (squaresDelta / squaresA).squareRoot() : nil
  }

  /// The cosine of the angle between a and b; nil where exactly one of them is zero.
  package var cosine: Double? { oneMinusCosine.map { 1 - $0 } }

  /// 1 − cosine, in full precision even where the cosine rounds to 1.
  package var oneMinusCosine: Double? {
    guard numbers != .none else { return nil }
    if squaresDelta == 0 { return 0 }
    guard squaresA > 0, squaresB > 0 else { return nil }
    let ratio = (squaresB / squaresA).squareRoot()  // ‖b‖ / ‖a‖
    let along = cross / squaresA
    let dot = 1 + along  // a·b / ‖a‖²
    guard dot > 0 else { return min(1 - dot / ratio, 2) }
    // ‖a‖²‖b‖² − (a·b)² equals ‖a‖²‖Δ‖² − (a·Δ)², which has no cancellation.
    let area = max(squaresDelta / squaresA - along * along, 0)
    return area / (ratio * (ratio + dot))
  }

  /// The share of changed elements; 0 where there are none.
  package var share: Double { elements == 0 ? 0 : Double(changed) / Double(elements) }

  /// Adds another set of weights.
  ///
  /// All elements are counted. The norms only include floats, if there are any: position ids (integers) of a vision
  /// tower must not dominate its weights.
  package mutating func add(_ other: Change) {
    elements += other.elements
    changed += other.changed
    nonFinite += other.nonFinite
    guard other.numbers >= numbers else { return }
    if other.numbers > numbers {
      numbers = other.numbers
      (squaresA, squaresB, squaresDelta, cross, largestDelta) = (0, 0, 0, 0, 0)
    }
    squaresA += other.squaresA
    squaresB += other.squaresB
    squaresDelta += other.squaresDelta
    cross += other.cross
    largestDelta = max(largestDelta, other.largestDelta)
  }

  private func norm(_ squares: Double) -> Double? { numbers == .none ? nil : squares.squareRoot() }
}
