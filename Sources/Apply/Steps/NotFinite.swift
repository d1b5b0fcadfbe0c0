import Base
import PatchFormat

/// Elements of a tensor that became infinite or NaN although all inputs are finite: a sum exceeds the range of the
/// dtype.
package struct NotFinite: Equatable, Sendable {
  package let tensor: String
  package let count: Int

  package init(tensor: String, count: Int) {
    self.tensor = tensor
    self.count = count
  }

  package var text: String {
    "\(Format.counted(count, "element")) of \"\(tensor)\" \(count == 1 ? "is" : "are") infinite or NaN, although all "
      + "inputs are finite"
  }
}

extension [NotFinite] {
  /// Only the tensors with such elements.
  init(_ names: [String], _ counts: [Int]) {
    self = zip(names, counts).compactMap { $1 > 0 ? NotFinite(tensor: $0, count: $1) : nil }
  }

  /// For a command's result, and for the annotations of the patch.
  package var json: JSON {
    .array(map { .dictionary(["tensor": .string($0.tensor), "count": JSON($0.count)]) })
  }

  package static let key = "not_finite"

  /// Reads the patch's annotations; nil where an earlier version made it, which did not count.
  package init?(of patch: Patch) {
    guard let list = patch.annotations["made"]?[Self.key]?.array else { return nil }
    self = list.compactMap { entry in
      guard let tensor = entry["tensor"]?.string, let count = entry["count"]?.int else { return nil }
      return NotFinite(tensor: tensor, count: count)
    }
  }
}
