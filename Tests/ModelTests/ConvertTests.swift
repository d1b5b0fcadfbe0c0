import CCompute
import Testing

@Suite struct ConvertTests {
  private static let allBits = (UInt16.min...UInt16.max).map { $0 }

  @Test(arguments: availableISAs)
  func all16BitNumbersAreWidenedExactly(isa: vp_isa) {
    let kernels = vp_convert_kernels_for(isa)!.pointee
    var floats = [Float](repeating: 0, count: 1 << 16)
    kernels.widen_bf16(Self.allBits, &floats, floats.count)
    #expect(zip(Self.allBits, floats).allSatisfy { $1.bitPattern == UInt32($0) << 16 })
    kernels.widen_f16(Self.allBits, &floats, floats.count)
    #expect(
      zip(Self.allBits, floats).allSatisfy { bits, float in
        let isNaN = bits & 0x7FFF > 0x7C00
        // A NaN keeps its sign and payload, and is quiet.
        let expected =
          isNaN
          ? UInt32(bits & 0x8000) << 16 | 0x7FC0_0000 | UInt32(bits & 0x3FF) << 13
          : Float(Float16(bitPattern: bits)).bitPattern
        return float.bitPattern == expected
      })
  }

  @Test(arguments: availableISAs)
  func floatsAreNarrowedToTheNearest(isa: vp_isa) {
    let kernels = vp_convert_kernels_for(isa)!.pointee
    // Each bf16, and what lies between it and the next: just above it, half way and to both sides of that, just below.
    var floats: [Float] = []
    for bits in Self.allBits {
      for rest in [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF] as [UInt32] {
        floats.append(Float(bitPattern: UInt32(bits) << 16 | rest))
      }
    }
    var narrowed = [UInt16](repeating: 0, count: floats.count)
    kernels.narrow_bf16(floats, &narrowed, floats.count)
    #expect(
      zip(floats, narrowed).allSatisfy { float, bits in
        float.isNaN ? bits == UInt16(float.bitPattern >> 16) | 0x40 : bits == bfloat16(float)
      })
    // 3.3895e38 is the greatest; half way above it is infinity.
    var edge: [UInt16] = [0, 0]
    kernels.narrow_bf16([.greatestFiniteMagnitude, Float(bitPattern: 0x7F7F_7FFF)], &edge, 2)
    #expect(edge == [0x7F80, 0x7F7F])
  }

  @Test(arguments: availableISAs, [0, 1, 3, 4, 5, 7, 8, 15, 16, 17, 33])
  func onlyWhatIsAskedForIsWritten(isa: vp_isa, count: Int) {
    let kernels = vp_convert_kernels_for(isa)!.pointee
    let numbers = [UInt16](repeating: 0x3C00, count: count + 1)
    var floats = [Float](repeating: -1, count: count + 1)
    kernels.widen_f16(numbers, &floats, count)
    #expect(floats == [Float](repeating: 1, count: count) + [-1])
    var narrowed = [UInt16](repeating: 9, count: count + 1)
    kernels.narrow_bf16(floats, &narrowed, count)
    #expect(narrowed == [UInt16](repeating: 0x3F80, count: count) + [9])
    kernels.widen_bf16(narrowed, &floats, count)
    #expect(floats == [Float](repeating: 1, count: count) + [-1])
  }
}
