import Testing

@testable import Base
@testable import Checkpoints
@testable import PatchFormat

/// Small files that ask for much.
@Suite struct BombTests {
  func file(header: [UInt8]) -> [UInt8] {
    let stored = header.withUnsafeBytes { Zstd.compress($0, level: 3, windowLog: 26) }
    return PatchPreamble(
      headerStored: stored.count, headerDecoded: header.count, headerDigest: SHA256Hasher.hash(stored), flags: []
    )
    .encoded + stored
  }

  @Test func manyValues() throws {
    let scratch = Scratch()
    let header = [UInt8(ascii: "[")] + (0..<4 << 20).map { [0x30, 0x2C][$0 % 2] } + Array("0]".utf8)
    let bytes = file(header: header)
    #expect(bytes.count < 4096)
    let path = scratch.write(bytes, as: "bomb.vpatch")
    let error = try #require(refusal { _ = try Patch(path: path) })
    #expect(error.reason.contains("more values than a file of this size may have"))
  }

  @Test func aHeaderThatOnlyClaims() throws {
    let scratch = Scratch()
    // 64 MiB promised by the preamble and by the frame, an empty block in it.
    let frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xE0] + [UInt8](littleEndian: UInt64(64 << 20)) + [1, 0, 0]
    let preamble = PatchPreamble(
      headerStored: frame.count, headerDecoded: 64 << 20, headerDigest: SHA256Hasher.hash(frame), flags: [])
    let path = scratch.write(preamble.encoded + frame, as: "claim.vpatch")
    let error = try #require(refusal { _ = try Patch(path: path) })
    #expect(error.reason == "has a header that is a zstd frame that declares a larger size than it can hold")
  }

  @Test func theBoundIsFarFromWhatPatchesNeed() throws {
    // Twenty thousand tensors without elements, all with one fingerprint: as dense as a header can honestly be.
    let digest = SHA256Hasher.hash("x")
    let tensors = (0..<20_000).map { i in
      let side = FingerprintedTensor(
        TensorInfo(name: "t\(i + 1_000_000)", dtype: DType("U8")!, shape: [0], byteCount: 0), digest)
      return PatchTensor(operation: .same, base: side, target: side, chunks: [])
    }
    let text = PatchHeader(tensors: tensors, payloadBytes: 0, annex: .init(stored: 1, decoded: 1, digest: digest))
      .encoded()
    let stored = text.withUnsafeBytes { Zstd.compress($0, level: 19, windowLog: 26) }
    #expect(
      try PatchHeader(parsing: text, flags: [], maximumValues: 1 << 16 + 16 * stored.count).tensors.count == 20_000)
  }
}
