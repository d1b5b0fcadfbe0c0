/// A box of elements inside a stored tensor: where its elements lie, axis by axis.
///
/// Each function returns the same storage, read in another way. Nothing is copied.
package struct TensorBox: Hashable, Sendable {
  /// `count` indexes that lie `stride` elements apart.
  package struct Step: Hashable, Sendable {
    package let count: Int
    package let stride: Int
  }

  /// The first element.
  package private(set) var start = 0
  /// The steps of each axis, from outer to inner. An axis has several where its order differs from the stored one.
  package private(set) var axes: [[Step]]

  /// A whole tensor, stored with its last axis contiguous.
  package init(shape: [Int]) {
    var stride = 1
    axes = shape.reversed().map { count in
      defer { stride *= max(count, 1) }
      return [Step(count: count, stride: stride)]
    }.reversed()
  }

  /// A strided view of a storage, in elements. A stride of zero repeats elements.
  package init(start: Int, shape: [Int], strides: [Int]) {
    self.start = start
    axes = zip(shape, strides).map { [Step(count: $0, stride: $1)] }
  }

  package var shape: [Int] { axes.map { $0.reduce(1) { $0 * $1.count } } }

  /// The part at one index of an axis with one step. The axis is gone.
  package func selecting(_ index: Int, axis: Int) -> TensorBox {
    precondition(axes[axis].count == 1 && index < axes[axis][0].count)
    var box = self
    box.start += index * axes[axis][0].stride
    box.axes.remove(at: axis)
    return box
  }

  /// A range of an axis. Nil where it is outside, or where it divides an inner step.
  package func slicing(_ range: Range<Int>, axis: Int) -> TensorBox? {
    let inner = axes[axis].dropFirst().reduce(1) { $0 * $1.count }
    guard range.upperBound <= shape[axis], inner > 0, range.lowerBound % inner == 0, range.count % inner == 0
    else { return nil }
    var box = self
    box.start += range.lowerBound / inner * axes[axis][0].stride
    box.axes[axis][0] = Step(count: range.count / inner, stride: axes[axis][0].stride)
    return box
  }

  /// With the last two axes exchanged; nil where there are fewer.
  package var transposed: TensorBox? {
    guard axes.count >= 2 else { return nil }
    var box = self
    box.axes.swapAt(axes.count - 1, axes.count - 2)
    return box
  }

  /// Stored in pairs along an axis (`a0 b0 a1 b1 …`), read as halves (`a0 a1 … b0 b1 …`), in each of so many groups.
  /// Nil where the axis does not divide.
  package func deinterleaving(axis: Int, groups: Int) -> TensorBox? {
    guard axes[axis].count == 1, groups > 0, axes[axis][0].count % (2 * groups) == 0 else { return nil }
    let step = axes[axis][0]
    let half = step.count / (2 * groups)
    var box = self
    // The first step is the one that can be sliced, so a single group has none.
    box.axes[axis] = groups == 1 ? [] : [Step(count: groups, stride: 2 * half * step.stride)]
    box.axes[axis] += [Step(count: 2, stride: step.stride), Step(count: half, stride: 2 * step.stride)]
    return box
  }
}

/// Elements of one stored tensor that become elements of another: the same box in both.
package struct TensorBlock: Hashable, Sendable {
  package struct Loop: Hashable, Sendable {
    package let count: Int
    /// Distances in elements.
    package let target: Int
    package let source: Int
  }

  /// Index of the stored tensor that is read.
  package let source: Int
  package let targetStart: Int
  package let sourceStart: Int
  /// From outer to inner in the target. Neighbours that are contiguous on both sides are one loop.
  package let loops: [Loop]
  package var elementCount: Int { loops.reduce(1) { $0 * $1.count } }

  /// Nil where the boxes have different shapes, or their steps do not divide each other.
  package init?(_ target: TensorBox, from box: TensorBox, source: Int) {
    guard target.shape == box.shape else { return nil }
    var loops: [Loop] = []
    for (a, b) in zip(target.axes, box.axes) {
      guard let steps = Self.common(a, b) else { return nil }
      loops += steps
    }
    if loops.contains(where: { $0.count == 0 }) {
      loops = [Loop(count: 0, target: 1, source: 1)]
    } else {
      loops = Self.merged(loops.filter { $0.count > 1 }.sorted { $0.target > $1.target })
    }
    self.source = source
    self.loops = loops
    (targetStart, sourceStart) = (target.start, box.start)
  }

  /// One axis with different steps on its sides, in steps that both have.
  private static func common(_ a: [TensorBox.Step], _ b: [TensorBox.Step]) -> [Loop]? {
    var (a, b) = (a, b)
    var loops: [Loop] = []
    while let x = a.popLast(), let y = b.popLast() {
      let count = min(x.count, y.count)
      if count == 0 { return [Loop(count: 0, target: 1, source: 1)] }
      guard x.count % count == 0, y.count % count == 0 else { return nil }
      loops.append(Loop(count: count, target: x.stride, source: y.stride))
      if x.count > count { a.append(.init(count: x.count / count, stride: x.stride * count)) }
      if y.count > count { b.append(.init(count: y.count / count, stride: y.stride * count)) }
    }
    // What is left on one side are steps of count one.
    return (a + b).allSatisfy { $0.count == 1 } ? loops.reversed() : nil
  }

  private static func merged(_ loops: [Loop]) -> [Loop] {
    loops.reduce(into: []) { merged, loop in
      if let outer = merged.last, outer.target == loop.target * loop.count, outer.source == loop.source * loop.count {
        merged[merged.count - 1] = Loop(count: outer.count * loop.count, target: loop.target, source: loop.source)
      } else {
        merged.append(loop)
      }
    }
  }
}
