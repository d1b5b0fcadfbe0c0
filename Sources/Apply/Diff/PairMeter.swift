import Checkpoints
import Glibc

/// The unit of comparison: an element, or the bytes that several elements share.
struct MeterUnit {
  package let width: Int
  package let elements: Int

  init(_ info: TensorInfo) {
    let unit =
      switch info.dtype.bitsPerElement {
      case 4: (width: 1, elements: 2)
      case 6: (width: 3, elements: 4)
      case let bits: (width: bits / 8, elements: 1)
      }
    // A file may give a wrong length for a dtype unknown to the format. Then only the bytes are compared.
    (width, elements) = info.byteCount % unit.width == 0 ? unit : (1, 1)
  }
}

/// Measures the difference of two tensors of one shape, block by block.
///
/// The sums are float64 in four lanes over blocks of 2,048 elements. The lanes of a block are added in a fixed order,
/// then the blocks. So the result depends only on the elements, not on threads, pieces or processor.
final class PairMeter {
  /// Number of elements per block: both sides fit into the first-level cache.
  static let blockCount = 2048
  /// A block with a larger sum of squares contains a value whose square cannot be summed safely.
  private static let largestSum = 1e280
  private static let largestValue = 1e140

  package private(set) var change = Change()
  /// Bytes per unit, of each side.
  let widthA: Int
  let widthB: Int
  /// Elements per unit. More than one only if both sides have the same dtype.
  private let elementsPerUnit: Int
  private let readerA: NumberReader?
  private let readerB: NumberReader?
  private let sameType: Bool
  private let a: UnsafeMutablePointer<Double>
  private let b: UnsafeMutablePointer<Double>

  /// - Parameters: tensors of one shape. If a dtype is unknown, both have it.
  init(_ infoA: TensorInfo, _ infoB: TensorInfo) {
    sameType = infoA.dtype == infoB.dtype
    readerA = NumberReader(infoA.dtype)
    readerB = sameType ? readerA : NumberReader(infoB.dtype)
    let units = [infoA, infoB].map { MeterUnit($0) }
    (widthA, widthB) = (units[0].width, units[1].width)
    elementsPerUnit = units[0].elements
    if let readerA, let readerB { change.numbers = min(readerA.numbers, readerB.numbers) }
    a = .allocate(capacity: 2 * Self.blockCount)
    b = a + Self.blockCount
  }

  deinit { a.deallocate() }

  /// Adds `count` units of both sides, aligned to their widths.
  package func add(_ bytesA: UnsafeRawPointer, _ bytesB: UnsafeRawPointer, count: Int) {
    var start = 0
    while start < count {
      let n = min(Self.blockCount, count - start)
      addBlock(bytesA + start * widthA, bytesB + start * widthB, n)
      start += n
    }
  }

  private func addBlock(_ bytesA: UnsafeRawPointer, _ bytesB: UnsafeRawPointer, _ count: Int) {
    change.elements += count * elementsPerUnit
    let isSame = sameType && memcmp(bytesA, bytesB, count * widthA) == 0
    if sameType, !isSame { change.changed += differences(bytesA, bytesB, count) }
    guard let readerA, let readerB else { return }

    readerA.read(bytesA, count, a)
    if !isSame { readerB.read(bytesB, count, b) }
    if !sameType { change.changed += Self.differences(a, b, width: 8, count) }
    var sums = isSame ? Self.sums(a, count) : Self.sums(a, b, count)
    if !(sums.squaresA < Self.largestSum && sums.squaresB < Self.largestSum) {
      if isSame { b.update(from: a, count: count) }
      change.nonFinite += leaveOutNonFinite(count)
      sums = Self.sums(a, b, count)
    }
    change.squaresA += sums.squaresA
    change.squaresB += sums.squaresB
    change.squaresDelta += sums.squaresDelta
    change.cross += sums.cross
    change.largestDelta = max(change.largestDelta, sums.largestDelta)
  }

  /// Sets both sides to zero where one of them cannot be summed, and returns how often.
  private func leaveOutNonFinite(_ count: Int) -> Int {
    var found = 0
    for i in 0..<count where !(abs(a[i]) < Self.largestValue && abs(b[i]) < Self.largestValue) {
      (a[i], b[i]) = (0, 0)
      found += 1
    }
    return found
  }
}

extension PairMeter {
  struct Sums {
    var squaresA = 0.0
    var squaresB = 0.0
    var squaresDelta = 0.0
    var cross = 0.0
    var largestDelta = 0.0
  }

  /// Element i goes to lane i mod 4. The remaining elements go to the first lanes.
  package static func sums(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ count: Int) -> Sums {
    var lanes = Lanes()
    var i = 0
    while i + 4 <= count {
      lanes.add(load(a + i), load(b + i))
      i += 4
    }
    if i < count { lanes.add(load(a + i, count - i), load(b + i, count - i)) }
    return Sums(
      squaresA: total(lanes.squaresA), squaresB: total(lanes.squaresB), squaresDelta: total(lanes.squaresDelta),
      cross: total(lanes.cross), largestDelta: lanes.largestDelta.max())
  }

  /// The same for equal sides.
  package static func sums(_ a: UnsafePointer<Double>, _ count: Int) -> Sums {
    var squares = SIMD4<Double>.zero
    var i = 0
    while i + 4 <= count {
      let x = load(a + i)
      squares += x * x
      i += 4
    }
    if i < count {
      let x = load(a + i, count - i)
      squares += x * x
    }
    return Sums(squaresA: total(squares), squaresB: total(squares))
  }

  private struct Lanes {
    var squaresA = SIMD4<Double>.zero
    var squaresB = SIMD4<Double>.zero
    var squaresDelta = SIMD4<Double>.zero
    var cross = SIMD4<Double>.zero
    var largestDelta = SIMD4<Double>.zero

    @inline(__always)
    mutating func add(_ a: SIMD4<Double>, _ b: SIMD4<Double>) {
      let delta = b - a
      squaresA += a * a
      squaresB += b * b
      squaresDelta += delta * delta
      cross += a * delta
      let size = SIMD4<Double>(bitPattern: delta.bits & SIMD4(repeating: 0x7FFF_FFFF_FFFF_FFFF))
      largestDelta.replace(with: size, where: size .> largestDelta)
    }
  }

  @inline(__always)
  private static func load(_ p: UnsafePointer<Double>) -> SIMD4<Double> {
    UnsafeRawPointer(p).loadUnaligned(as: SIMD4<Double>.self)
  }

  private static func load(_ p: UnsafePointer<Double>, _ count: Int) -> SIMD4<Double> {
    var lanes = SIMD4<Double>.zero
    for i in 0..<count { lanes[i] = p[i] }
    return lanes
  }

  @inline(__always)
  private static func total(_ lanes: SIMD4<Double>) -> Double { (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]) }
}

extension SIMD4<Double> {
  @inline(__always)
  fileprivate var bits: SIMD4<UInt64> { unsafeBitCast(self, to: SIMD4<UInt64>.self) }
  @inline(__always)
  fileprivate init(bitPattern: SIMD4<UInt64>) { self = unsafeBitCast(bitPattern, to: SIMD4<Double>.self) }
}

extension PairMeter {
  /// The number of differing elements in `count` units.
  private func differences(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Int {
    elementsPerUnit == 1
      ? Self.differences(a, b, width: widthA, count)
      : Self.packedDifferences(a, b, width: widthA, elements: elementsPerUnit, count)
  }

  /// The same for elements that share bytes, the first one in the lowest bits.
  private static func packedDifferences(
    _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, width: Int, elements: Int, _ count: Int
  ) -> Int {
    let bits = width * 8 / elements
    var found = 0
    for unit in 0..<count {
      let word = (0..<width).reduce(UInt32(0)) { word, i in
        let at = unit * width + i
        return word | UInt32(a.load(fromByteOffset: at, as: UInt8.self) ^ b.load(fromByteOffset: at, as: UInt8.self))
          << (8 * i)
      }
      for i in 0..<elements where word >> (i * bits) & (1 << bits - 1) != 0 { found += 1 }
    }
    return found
  }

  /// The number of differing elements of `width` bytes each.
  private static func differences(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, width: Int, _ count: Int) -> Int {
    switch width {
    case 1: differences(a, b, count, of: UInt8.self)
    case 2: differences(a, b, count, of: UInt16.self)
    case 4: differences(a, b, count, of: UInt32.self)
    default: differences(a, b, count, of: UInt64.self)
    }
  }

  @inline(__always)
  private static func differences<T: FixedWidthInteger>(
    _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int, of type: T.Type
  ) -> Int {
    let (a, b) = (a.assumingMemoryBound(to: T.self), b.assumingMemoryBound(to: T.self))
    var found: Int32 = 0
    for i in 0..<count { found &+= a[i] == b[i] ? 0 : 1 }
    return Int(found)
  }
}
