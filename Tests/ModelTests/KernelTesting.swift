import CCompute
import TestModels

/// The kinds of instructions that this processor has.
let availableISAs = [VP_BASELINE, VP_AVX2, VP_AVX512].filter { $0.rawValue <= vp_best_isa().rawValue }

let allTypes = [VP_TYPE_F32, VP_TYPE_BF16, VP_TYPE_F16]

/// Numbers of a matrix in one of the forms that kernels read.
struct Numbers {
  var type: vp_type
  var bytes: [UInt8]
  /// What they are.
  var values: [Float]

  init(_ floats: [Float], _ type: vp_type) {
    self.type = type
    switch type {
    case VP_TYPE_F32: (bytes, values) = (bytesOf(floats), floats)
    case VP_TYPE_BF16:
      let narrowed = floats.map(bfloat16)
      (bytes, values) = (bytesOf(narrowed), narrowed.map(widen))
    default:
      let narrowed = floats.map { Float16($0) }
      (bytes, values) = (bytesOf(narrowed), narrowed.map { Float($0) })
    }
  }

  /// Calls `body` with their address, or some other one if there are none.
  func withAddress<T>(_ body: (UnsafeRawPointer) -> T) -> T {
    bytes.withUnsafeBytes { body($0.baseAddress ?? UnsafeRawPointer(bitPattern: 64)!) }
  }
}

private func bytesOf<T>(_ values: [T]) -> [UInt8] { values.withUnsafeBytes(Array.init) }

/// The nearest, ties to even; not for NaN.
func bfloat16(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
}

func widen(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

func randomFloats(_ count: Int, seed: UInt64) -> [Float] {
  var generator = TestRandom(seed)
  return (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
}

/// Memory as products want it, filled so that what a kernel reads but has not written shows.
func withScratch<T>(_ bytes: Int, _ body: (UnsafeMutableRawPointer) -> T) -> T {
  let scratch = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
  defer { scratch.deallocate() }
  scratch.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes)
  return body(scratch)
}
