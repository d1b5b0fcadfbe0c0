import Base
import Model
import Text

/// Which rows are held out of training to measure the loss on.
package enum ValidationSplit: Equatable, Sendable {
  case none
  /// A share of the rows, chosen by the random seed.
  case share(Double)
  /// The rows of another file.
  case file(String)

  /// The share that is held out where vpatch chooses the length of the run and there are enough rows.
  package static let standard = ValidationSplit.share(0.1)
  /// Below this number of rows, training needs them all.
  package static let leastRows = 20
  /// More would only cost time.
  private static let mostRows = 200

  /// The indices of the rows that are held out of `count`, in ascending order; at least one row stays to train on.
  func heldOut(of count: Int, seed: UInt64) -> [Int] {
    guard case .share(let share) = self, count > 1 else { return [] }
    let number = min(max(1, Int((share * Double(count)).rounded())), count - 1, Self.mostRows)
    var random = SeededRandom(seed: seed ^ 0x5A11_DA7E)
    return random.permutation(count).prefix(number).sorted()
  }
}
