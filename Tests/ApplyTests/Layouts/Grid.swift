/// A small array of several axes, rearranged in the plainest way: the reference for views.
struct Grid: Equatable {
  let shape: [Int]
  var elements: [UInt16]

  init(_ shape: [Int], _ element: ([Int]) -> UInt16) {
    self.shape = shape
    elements = Grid.indexes(shape).map(element)
  }

  /// Different numbers, as far as 16 bits allow.
  static func numbered(_ shape: [Int], from start: Int = 0) -> Grid {
    var next = start
    return Grid(shape) { _ in
      next += 1
      return UInt16(truncatingIfNeeded: next &* 40503)
    }
  }

  /// All indexes, the last axis fastest.
  static func indexes(_ shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { all, count in all.flatMap { index in (0..<count).map { index + [$0] } } }
  }

  subscript(index: [Int]) -> UInt16 { elements[zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }] }

  var transposed: Grid {
    func exchanged(_ list: [Int]) -> [Int] { list.dropLast(2) + [list[list.count - 1], list[list.count - 2]] }
    return Grid(exchanged(shape)) { self[exchanged($0)] }
  }

  static func stacked(_ all: [Grid]) -> Grid {
    Grid([all.count] + all[0].shape) { all[$0[0]][Array($0.dropFirst())] }
  }

  static func joined(_ all: [Grid], axis: Int) -> Grid {
    var shape = all[0].shape
    shape[axis] = all.reduce(0) { $0 + $1.shape[axis] }
    return Grid(shape) { index in
      var index = index
      for grid in all {
        if index[axis] < grid.shape[axis] { return grid[index] }
        index[axis] -= grid.shape[axis]
      }
      preconditionFailure("outside")
    }
  }

  func part(_ range: Range<Int>, axis: Int) -> Grid {
    var shape = shape
    shape[axis] = range.count
    return Grid(shape) { index in
      var index = index
      index[axis] += range.lowerBound
      return self[index]
    }
  }

  /// `a0 b0 a1 b1 …` becomes `a0 a1 … b0 b1 …`, in each of so many groups.
  func deinterleaved(axis: Int, groups: Int) -> Grid {
    let group = shape[axis] / groups
    return Grid(shape) { index in
      var index = index
      let (first, place) = (index[axis] / group * group, index[axis] % group)
      index[axis] = first + place % (group / 2) * 2 + place / (group / 2)
      return self[index]
    }
  }

  var bytes: [UInt8] { elements.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] } }
}
