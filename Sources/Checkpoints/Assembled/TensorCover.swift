/// Whether boxes of indexes make up a whole tensor.
package enum TensorCover {
  /// What is wrong with the boxes; nil where each element is in exactly one of them.
  /// - Parameter boxes: none of them empty.
  package static func problem(_ boxes: [(offsets: [Int], sizes: [Int])], shape: [Int]) -> String? {
    var covered = 0
    for box in boxes {
      guard box.offsets.count == shape.count, box.sizes.count == shape.count,
        zip(shape, zip(box.offsets, box.sizes)).allSatisfy({ $1.0 <= $0 && $1.1 <= $0 - $1.0 })
      else { return "reach beyond its shape" }
      // Each is within the shape, whose size is limited; many that overlap are not.
      let (sum, overflow) = covered.addingReportingOverflow(box.sizes.reduce(1, *))
      guard !overflow else { return "overlap" }
      covered = sum
    }
    if hasOverlap(boxes, rank: shape.count) { return "overlap" }
    let whole = shape.contains(0) ? 0 : shape.reduce(1, *)
    return covered == whole ? nil : "do not make the whole: some are missing"
  }

  /// Sweeps along the axis that divides the boxes most, and compares those that are at the same place of it.
  private static func hasOverlap(_ boxes: [(offsets: [Int], sizes: [Int])], rank: Int) -> Bool {
    guard boxes.count > 1 else { return false }
    guard let axis = (0..<rank).max(by: { a, b in starts(boxes, a) < starts(boxes, b) }) else { return true }
    var open: [(offsets: [Int], sizes: [Int])] = []
    for box in boxes.sorted(by: { $0.offsets[axis] < $1.offsets[axis] }) {
      open.removeAll { $0.offsets[axis] + $0.sizes[axis] <= box.offsets[axis] }
      for other in open where (0..<rank).allSatisfy({ overlaps(box, other, $0) }) { return true }
      open.append(box)
    }
    return false
  }

  private static func starts(_ boxes: [(offsets: [Int], sizes: [Int])], _ axis: Int) -> Int {
    Set(boxes.lazy.map { $0.offsets[axis] }).count
  }

  private static func overlaps(
    _ a: (offsets: [Int], sizes: [Int]), _ b: (offsets: [Int], sizes: [Int]), _ axis: Int
  ) -> Bool {
    a.offsets[axis] < b.offsets[axis] + b.sizes[axis] && b.offsets[axis] < a.offsets[axis] + a.sizes[axis]
  }
}
