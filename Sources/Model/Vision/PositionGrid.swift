import Glibc

/// Learned positions of a square of patches, resized to another grid: bicubic interpolation between pixel centres, a =
/// −0.75, edges repeated (PyTorch's interpolate with align_corners=False and no antialiasing, as in DINOv2).
struct PositionGrid {
  struct Taps: Equatable {
    let places: SIMD4<Int>
    let weights: SIMD4<Float>
  }

  private let side: Int
  let down: [Taps]
  let across: [Taps]

  init(side: Int, rows: Int, columns: Int) {
    self.side = side
    down = Self.taps(side, rows)
    across = Self.taps(side, columns)
  }

  /// Calls `body` with each patch of the grid, row by row, and the sixteen learned positions that it is interpolated
  /// from.
  func forEachTap(_ body: (_ patch: Int, _ position: Int, _ weight: Float) -> Void) {
    for (y, row) in down.enumerated() {
      for (x, column) in across.enumerated() {
        for i in 0..<4 {
          for j in 0..<4 {
            body(
              y * across.count + x, row.places[i] * side + column.places[j], row.weights[i] * column.weights[j])
          }
        }
      }
    }
  }

  private static func taps(_ side: Int, _ wanted: Int) -> [Taps] {
    let scale = Float(side) / Float(wanted)
    return (0..<wanted).map { i in
      let place = (Float(i) + 0.5) * scale - 0.5
      let first = floorf(place)
      let t = place - first
      let places = SIMD4(-1, 0, 1, 2) &+ Int(first)
      return Taps(
        places: places.clamped(lowerBound: SIMD4(repeating: 0), upperBound: SIMD4(repeating: side - 1)),
        weights: SIMD4(Self.outer(1 + t), Self.inner(t), Self.inner(1 - t), Self.outer(2 - t)))
    }
  }

  /// Keys' kernel, for distances up to 1 and from 1 to 2.
  private static func inner(_ x: Float) -> Float { ((1.25 * x) - 2.25) * x * x + 1 }
  private static func outer(_ x: Float) -> Float { ((-0.75 * x + 3.75) * x - 6) * x + 3 }
}
