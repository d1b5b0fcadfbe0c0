import Base
import Fuzzing
import TestModels
import Testing

@testable import Images

@Suite("Hostile images") struct HostileImageTests {
  private static let folder = Fixtures.path("images/hostile")

  @Test("each is refused in these words") func errors() throws {
    let expected = try JSON.parse(InputFile.contents(of: "\(Self.folder)/errors.json", limit: 1 << 20))
    for member in try #require(expected.object) {
      let path = "\(Self.folder)/\(member.key)"
      do {
        _ = try ImageFile(path: path).decode()
        Issue.record("\(member.key) is accepted")
      } catch let error as VPatchError {
        #expect(error.description == "\(path): \(member.value.string ?? "?")")
      }
    }
  }

  @Test("what is no file") func noFile() throws {
    let folder = try TestFolder()
    #expect(throws: VPatchError.self) { try ImageFile(path: folder["missing.png"]) }
    #expect(throws: VPatchError.self) { try ImageFile(path: folder.path) }
  }

  @Test("a file that changes after it was looked at") func changed() throws {
    let folder = try TestFolder()
    let bytes = try InputFile.contents(of: Fixtures.path("images/rgb8.png"), limit: 1 << 20)
    let path = try folder.write("image.png", bytes)
    let source = try ImageFile(path: path).source
    #expect(try ImageFile.decode(source) == ImageFile(path: path).decode())
    try folder.write("image.png", InputFile.contents(of: Fixtures.path("images/one.png"), limit: 1 << 20))
    do {
      _ = try ImageFile.decode(source)
      Issue.record("another file is taken for it")
    } catch let error as VPatchError {
      #expect(error.description == "\(path): has changed since it was checked; start again")
    }
  }

  @Test("files cut anywhere never decode to something else", arguments: ["rgb8.png", "rgb.jpg", "lossless.webp"])
  func truncation(name: String) throws {
    let bytes = try InputFile.contents(of: Fixtures.path("images/\(name)"), limit: 1 << 20)
    let whole = try ImageFile(path: name, bytes: bytes).decode()
    for count in stride(from: 0, to: bytes.count, by: 7) {
      do {
        // What is missing may be the mark of the end alone.
        #expect(try ImageFile(path: name, bytes: Array(bytes[..<count])).decode() == whole)
        #expect(count > bytes.count - 30)
      } catch is VPatchError {}
    }
  }

  @Test("changed bytes are refused or decoded", .timeLimit(.minutes(2)))
  func mutations() throws {
    let names = try Path.entries(of: Fixtures.path("images")).filter {
      ["png", "jpg", "webp"].contains($0.split(separator: ".").last) && !$0.hasPrefix("tall")
    }
    let seeds = try names.map { try InputFile.contents(of: Fixtures.path("images/\($0)"), limit: 1 << 20) }
    var accepted = 0
    var refused = 0
    for i in 0..<4000 {
      var random = StructuredMutator(seed: UInt64(i))
      let bytes = random.bytes(seeds[i % seeds.count])
      do {
        let file = try ImageFile(path: "mutated", bytes: bytes)
        // Larger ones are only slow.
        guard file.source.width * file.source.height < 1 << 22 else { continue }
        let image = try file.decode()
        #expect(image.width == file.source.width && image.height == file.source.height)
        accepted += 1
      } catch let error as VPatchError {
        #expect(!error.description.utf8.contains(0x0A))
        refused += 1
      }
    }
    #expect(accepted > 300 && refused > 1000, "\(accepted) \(refused)")
  }
}
