import Base
import Testing

@testable import Images

/// PNG of which a colour stands for nothing, as Pillow 13.0.0 and transformers 5.24.0 have them.
@Suite("A transparent colour") struct TransparentTests {
  @Test("pixels, and values of every processor") func cases() throws {
    let folder = Fixtures.path("images")
    let json = try JSON.parse(InputFile.contents(of: "\(folder)/transparent/cases.json", limit: 1 << 24))
    let processors = try ImageCase.processors(in: folder)
    var laid = 0
    for entry in try #require(json["cases"]?.array) {
      let name = try #require(entry["file"]?.string)
      let image = try ImageFile(path: "\(folder)/transparent/\(name)").decode()
      #expect(image.pixels == [UInt8](hex: entry["pixels"]?.string ?? ""), "\(name)")
      laid += image.overWhite.pixels == image.pixels ? 0 : 1
      for member in try #require(entry["values"]?.object) {
        let values = try processors[member.key]!.process(image)
        #expect(Self.digest(values) == member.value.string, "\(name) by \(member.key)")
      }
      // With do_convert_rgb off nothing is laid over anything.
      let clip = try JSON.parse(
        InputFile.contents(of: "\(folder)/processors/clip/preprocessor_config.json", limit: 1 << 20))
      let plain = try ImageProcessor(json: clip.setting("do_convert_rgb", to: .bool(false)), path: "x")
      #expect(Self.digest(try plain.process(image)) == entry["plain"]?.string, "\(name), plain")
    }
    #expect(laid > 10)
  }

  private static func digest(_ values: PixelValues) -> String {
    SHA256Hasher.hash(values.values.withUnsafeBytes { Array($0) }).hex
  }

  @Test("a chunk that is cut short is refused, as Pillow does") func short() throws {
    let path = Fixtures.path("images") + "/transparent/rgb8-1-1-0.png"
    var png = try InputFile.contents(of: path, limit: 1 << 20)
    let at = try #require(png.indices.first { png[$0...].starts(with: "tRNS".utf8) })
    // One number less: the length, the body; nobody checks the sum of a chunk that is not critical before this.
    png.removeSubrange(at + 8..<at + 10)
    png[at - 1] -= 2
    let error = #expect(throws: VPatchError.self) { try ImageFile(path: "x.png", bytes: png) }
    #expect(error?.description.contains("its tRNS chunk is cut short") == true)
  }
}
