import Testing

@testable import Base

/// What a frame claims is believed only where its own length and its window allow it.
@Suite struct ZstdTests {
  func compress(_ bytes: [UInt8], windowLog: Int32 = 20) -> [UInt8] {
    bytes.withUnsafeBytes { Zstd.compress($0, level: 3, windowLog: windowLog) }
  }

  func decompress(_ frame: [UInt8], _ count: Int, windowLog: Int32) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, n in
      try frame.withUnsafeBytes {
        try Zstd.decompress($0, into: UnsafeMutableRawBufferPointer(buffer), windowLog: windowLog)
      }
      n = count
    }
  }

  func reason(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "accepted"
    } catch { return (error as? Zstd.Failure)?.reason ?? "\(error)" }
  }

  @Test func claimsAreBoundedByTheFrame() throws {
    // Single segment, eight bytes of content size, an empty last block: 64 MiB in 16 bytes.
    let claim: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xE0] + [UInt8](littleEndian: UInt64(64 << 20)) + [1, 0, 0]
    let words = reason { _ = try claim.withUnsafeBytes { try Zstd.contentSize($0, limit: 64 << 20) } }
    #expect(words == "is a zstd frame that declares a larger size than it can hold")
    // The most that zstd can do is far inside the bound: zeros, all in blocks of one byte.
    let zeros = compress([UInt8](repeating: 0, count: 8 << 20), windowLog: 23)
    #expect(try zeros.withUnsafeBytes { try Zstd.contentSize($0, limit: 8 << 20) } == 8 << 20)
    #expect(zeros.count < 1024)
  }

  @Test func windows() throws {
    // A window descriptor of 2^10 · (1 + 7/8) up to 2^41: 0x00 … 0xFF, with one raw block of a byte behind it.
    for descriptor in UInt8.min...UInt8.max {
      let frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x80, descriptor, 1, 0, 0, 0, 0x09, 0, 0, 0x41]
      let log = 10 + UInt64(descriptor >> 3)
      let window = (UInt64(1) << log) + (UInt64(1) << log) / 8 * UInt64(descriptor & 7)
      let words = reason { _ = try decompress(frame, 1, windowLog: 23) }
      #expect((words == "accepted") == (window <= 1 << 23), "\(descriptor): \(words)")
    }
  }

  @Test func exactlyOneFrame() throws {
    let bytes = Array("a frame, and nothing else".utf8)
    let frame = compress(bytes)
    #expect(try decompress(frame, bytes.count, windowLog: 20) == bytes)
    #expect(reason { _ = try decompress(frame + [0], bytes.count, windowLog: 20) }.contains("missing or extra"))
    #expect(reason { _ = try decompress(frame + frame, bytes.count, windowLog: 20) }.contains("missing or extra"))
    #expect(reason { _ = try decompress(frame.dropLast(), bytes.count, windowLog: 20) }.contains("missing or extra"))
    #expect(reason { _ = try decompress(frame, bytes.count + 1, windowLog: 20) }.contains("not the expected one"))
    #expect(reason { _ = try decompress([], 0, windowLog: 20) } != "accepted")
    for length in 0..<frame.count {
      #expect(reason { _ = try decompress(Array(frame[..<length]), bytes.count, windowLog: 20) } != "accepted")
    }
  }
}
