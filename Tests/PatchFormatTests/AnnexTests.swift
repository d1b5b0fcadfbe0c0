import Testing

@testable import Base
@testable import Checkpoints
@testable import PatchFormat

@Suite struct AnnexTests {
  static let header = SafetensorsHeader.text(for: [], metadata: [])

  func reason(_ annex: [UInt8]) -> String {
    do {
      _ = try Annex(parsing: annex, for: [])
      return "accepted"
    } catch { return (error as? Malformed)?.reason ?? "\(error)" }
  }

  @Test func readsBackWhatItWrites() throws {
    let single = FileLayout(files: [.init(name: "model.safetensors", header: Self.header)], index: nil)
    let annex = Annex(
      base: single, target: single,
      sideFiles: [
        .init(name: "tokenizer.json", base: [1, 2], target: [1]), .init(name: "a.txt", base: nil, target: [1, 2]),
        .init(name: "b.txt", base: [], target: nil),
      ])
    #expect(annex.sideFiles.map(\.name) == ["a.txt", "b.txt", "tokenizer.json"])
    #expect(try Annex(parsing: annex.encoded(), for: []) == annex)
  }

  /// A megabyte that sixty thousand entries refer to is a megabyte, and is read once.
  @Test(.timeLimit(.minutes(1))) func blobsAreShared() throws {
    let padded = Self.header + [UInt8](repeating: 0x20, count: 1 << 20)
    let index = Array(#"{"weight_map":{"a":"x.safetensors"}}"#.utf8)
    let names = (0..<20_000).map { "s" + String($0 + 100_000) }
    let layout = JSON.dictionary([
      "files": .array(names.map { .dictionary(["header": JSON(0), "name": .string($0 + ".safetensors")]) }),
      "index": JSON(1),
    ])
    let manifest = JSON.dictionary([
      "base": layout, "target": layout,
      "side": .array(names.map { .dictionary(["name": .string($0), "target": JSON(0)]) }),
      "blobs": .array(
        [padded, index].map { .dictionary(["length": JSON($0.count), "sha256": .string(SHA256Hasher.hash($0).hex)]) }),
    ]).canonical()
    // Every header is valid; only the index is not that of a checkpoint without tensors.
    #expect(
      reason([UInt8](littleEndian: UInt32(manifest.count)) + manifest + padded + index)
        == "has an index that does not match the places of its tensors")
  }

  @Test func aTensorInManyFilesIsFoundAtTheSecond() {
    let info = TensorInfo(name: "w", dtype: DType("U8")!, shape: [1], byteCount: 1)
    let header = SafetensorsHeader.text(for: [info], metadata: [])
    let layout = FileLayout(
      files: ["a", "b", "c"].map { .init(name: $0 + ".safetensors", header: header) },
      index: Array(#"{"weight_map":{"w":"a.safetensors"}}"#.utf8))
    #expect(reason(Annex(base: layout, target: layout, sideFiles: []).encoded()).contains("the same tensor twice"))
  }

  @Test func namesEndByBytes() {
    let single = FileLayout(files: [.init(name: "model.safetensors", header: Self.header)], index: nil)
    let annex = Annex(
      base: single, target: single, sideFiles: [.init(name: "\u{600}.safetensors", base: nil, target: [1])])
    #expect(reason(annex.encoded()).contains("forbidden name"))
  }
}
