import Families
import Glibc
import Images

/// The token rows of an image that was split into tiles plus an overview: which features each row is made of.
///
/// The overview's features come first. Those of the tiles are put together, cropped to the image's aspect ratio, shrunk
/// if there are too many, and `image_newline` ends each row, as in `pack_image_features` of transformers 5.23 (there
/// too, an image of a single piece gets one newline).
struct TilePacking {
  enum Row: Equatable, Sendable {
    case feature(Int)
    case newline
    /// A weighted mean of four features.
    case blend(SIMD4<Int>, SIMD4<Float>)
  }

  let rows: [Row]
  var count: Int { rows.count }

  /// - Throws: `invalid` if the plan does not fit this model.
  init(_ plan: ImagePlan, _ config: VisionConfig) throws {
    let side = config.tower.side
    let whole = (0..<side * side).map(Row.feature)
    guard case .tiles(let tileRows, let tileColumns, _) = plan.shape, case .tiles(_, let limit) = config.packing else {
      rows = whole + [.newline]
      return
    }
    let (height, width) = (tileRows * side, tileColumns * side)
    /// Index of the feature at a position in the grid of all tiles.
    func feature(_ y: Int, _ x: Int) -> Int {
      let tile = 1 + y / side * tileColumns + x / side
      return (tile * side + y % side) * side + x % side
    }
    let (top, left) = Self.padding(plan, height: height, width: width)
    let (ys, xs) = (top..<height - top, left..<width - left)
    var lines: [[Row]]
    let shrunk = limit.flatMap { Self.shrunk(height: ys.count, width: xs.count, to: $0 * side * side) }
    if let (rows, columns) = shrunk {
      let (down, across) = (Self.taps(ys.count, rows), Self.taps(xs.count, columns))
      lines = down.map { y in
        across.map { x in
          .blend(
            SIMD4(
              feature(top + y.first, left + x.first), feature(top + y.first, left + x.second),
              feature(top + y.second, left + x.first), feature(top + y.second, left + x.second)),
            SIMD4(
              (1 - y.weight) * (1 - x.weight), (1 - y.weight) * x.weight, y.weight * (1 - x.weight),
              y.weight * x.weight))
        }
      }
    } else {
      lines = ys.map { y in xs.map { .feature(feature(y, $0)) } }
    }
    rows = whole + lines.flatMap { $0 + [.newline] }
  }

  /// Rows above and below, and columns left and right, of padding that fills the tiles.
  private static func padding(_ plan: ImagePlan, height: Int, width: Int) -> (Int, Int) {
    /// Whole features of a side; a value just below an integer is rounded to it, like Python's round(…, 7).
    func whole(_ side: Int, _ factor: Double) -> Int {
      Int((Double(side) * factor * 1e7).rounded(.toNearestOrEven) / 1e7)
    }
    if Double(plan.width) / Double(plan.height) > Double(width) / Double(height) {
      return ((height - whole(plan.height, Double(width) / Double(plan.width))) / 2, 0)
    }
    return (0, (width - whole(plan.width, Double(height) / Double(plan.height))) / 2)
  }

  /// The size to which features are shrunk if their number exceeds the limit by more than a tenth per side; otherwise
  /// nil.
  private static func shrunk(height: Int, width: Int, to most: Int) -> (Int, Int)? {
    let ratio = (Double(height * width) / Double(most)).squareRoot()
    guard ratio > 1.1 else { return nil }
    /// Python's // of floats: from the exact remainder, since a rounded quotient may reach an integer.
    func quotient(_ side: Int) -> Int {
      let side = Double(side)
      return Int(((side - fmod(side, ratio)) / ratio).rounded())
    }
    return (quotient(height), quotient(width))
  }

  /// Bilinear interpolation between pixel centres (PyTorch's with align_corners=False).
  private static func taps(_ count: Int, _ wanted: Int) -> [(first: Int, second: Int, weight: Float)] {
    let scale = Float(count) / Float(wanted)
    return (0..<wanted).map { i in
      let place = max(0, (Float(i) + 0.5) * scale - 0.5)
      let first = min(Int(place), count - 1)
      return (first, min(first + 1, count - 1), place - Float(first))
    }
  }
}
