import KernelChecks
import Testing

@testable import Checkpoints
@testable import PatchFormat

/// Memory that ends at an unmapped page, or begins behind one: reading or writing beside it ends the process.
private final class GuardedBuffer {
  private let bytes: UnsafeMutableRawBufferPointer
  private let memory: vp_guarded

  init(_ contents: some Collection<UInt8>, _ guardedEnd: vp_guard) {
    memory = vp_guard_bytes(contents.count, guardedEnd)
    bytes = UnsafeMutableRawBufferPointer(start: memory.start, count: contents.count)
    bytes.copyBytes(from: contents)
  }

  convenience init(count: Int, _ guardedEnd: vp_guard) {
    self.init(repeatElement(0, count: count), guardedEnd)
  }

  deinit { vp_unguard(memory) }

  /// The buffer lives until `body` has come back.
  func read<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withExtendedLifetime(self) { try body(UnsafeRawBufferPointer(bytes)) }
  }

  func write<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
    try withExtendedLifetime(self) { try body(bytes) }
  }

  var array: [UInt8] { read { Array($0) } }
}

@Suite("Coders in guarded memory") struct GuardedMemoryTests {
  @Test("the kernels of the ulp coder, valid and damaged", arguments: [VP_GUARD_END, VP_GUARD_BEGIN])
  func kernels(guarded: vp_guard) throws {
    for seed in 0..<150 as Range<UInt64> {
      let failure = vp_check_ulp16(seed, guarded)
      #expect(failure == nil, "seed \(seed): \(failure.map { String(cString: $0) } ?? "")")
    }
  }

  @Test("the kernels of the low-rank coder", arguments: [VP_GUARD_END, VP_GUARD_BEGIN])
  func lowRankKernels(guarded: vp_guard) throws {
    for seed in 0..<100 as Range<UInt64> {
      let failure = vp_check_lowrank(seed, guarded)
      #expect(failure == nil, "seed \(seed): \(failure.map { String(cString: $0) } ?? "")")
    }
  }

  /// Chunks of every coder, of every length that is awkward, with every kernel; and what damage makes of them.
  @Test(arguments: ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I32", "U8"], [VP_GUARD_END, VP_GUARD_BEGIN])
  func chunks(dtype: String, guarded: vp_guard) throws {
    let format = DType(dtype)!.element
    var random = SplitMix(seed: 11)
    for count in [0, 1, 7, 31, 33, 64, 97, 129, 1000] where count < 1000 || dtype.hasSuffix("16") {
      for style in 0..<3 {
        let bytes: ClosedRange<UInt8> = style == 0 ? 0...255 : 60...66
        let base = (0..<count * format.width).map { _ in UInt8.random(in: bytes, using: &random) }
        let share: UInt64 = style == 2 ? 40 : 3
        let target = base.map { random.next() % share == 0 ? $0 &+ 1 : $0 }
        let (a, b) = (GuardedBuffer(base, guarded), GuardedBuffer(target, guarded))
        let stored = a.read { a in
          b.read { ChunkCoder.encodeDifference(base: a, target: $0, format: format, rowLength: 32) }
        }
        for kernel in Kernel.allCases where kernel.isSupported {
          let output = GuardedBuffer(count: base.count, guarded)
          for (input, direction, expected) in [(a, Direction.forward, target), (b, .backward, base)] {
            func decode(_ stored: [UInt8]) throws {
              try GuardedBuffer(stored, guarded).read { stored in
                try input.read { input in
                  try output.write { output in
                    try ChunkCoder.decodeDifference(
                      stored, from: input, into: output, format: format, direction: direction, kernel: kernel)
                  }
                }
              }
            }
            try decode(stored)
            #expect(output.array == expected, "\(count) elements, \(kernel), \(direction)")
            for _ in 0..<3 {
              var damaged = stored
              damaged[Int.random(in: 0..<stored.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
              if random.next() % 3 == 0 { damaged.removeLast(Int.random(in: 1...stored.count, using: &random)) }
              // Refused or decoded to something: either way within its memory.
              try? decode(damaged)
            }
          }
        }
        let content = a.read { ChunkCoder.encodeContent($0, format: format) }
        let output = GuardedBuffer(count: base.count, guarded)
        try GuardedBuffer(content, guarded).read { content in
          try output.write { try ChunkCoder.decodeContent(content, into: $0, format: format) }
        }
        #expect(output.array == base)
      }
    }
  }
}
