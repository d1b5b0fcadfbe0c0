import Foundation
import Testing

@testable import Base
@testable import Checkpoints
@testable import ModelFiles

@Suite struct JournalTests {
  let scratch = Scratch()

  /// A file of 100 bytes, and what it is.
  private func file(_ name: String) -> Journal.File {
    let path = scratch.write([UInt8](repeating: 7, count: 100), as: name)
    return Journal.File(name: name, identity: try! LastingIdentity.of(path, followingLinks: true)!)
  }

  private func region(_ file: Int, _ offset: Int, _ length: Int, name: String = "t") -> Journal.Region {
    let info = TensorInfo(name: name, dtype: DType("U8")!, shape: [length], byteCount: length)
    return Journal.Region(file: file, offset: offset, tensor: FingerprintedTensor(info, .zero))
  }

  private func journal(
    files: [Journal.File], regions: [Journal.Region] = [], renames: [Journal.Rename] = [],
    removals: [Journal.Removal] = []
  ) -> Journal {
    Journal(from: .zero, to: .zero, files: files, regions: regions, renames: renames, removals: removals)
  }

  private func read(_ journal: Journal) throws -> Journal {
    let bytes = journal.head() + [UInt8](repeating: 1, count: journal.payloadBytes)
    return try Journal.read(InputFile(path: scratch.write(bytes, as: "journal"))).journal
  }

  private func reason(_ journal: Journal) -> String? {
    let error = refusal { _ = try read(journal) }
    #expect(error?.code == .invalid)
    #expect(error?.remedy == Journal.unusable)
    return error?.reason
  }

  @Test func whatIsWrittenIsRead() throws {
    let (a, b) = (file("a.safetensors"), file("b.safetensors"))
    let written = journal(
      files: [a, b], regions: [region(0, 10, 20), region(0, 30, 1), region(1, 0, 100)],
      renames: [.init(from: ".c.vpatch-aB3xyz", to: "c", identity: a.identity, over: nil)],
      removals: [.init(name: "d", identity: b.identity)])
    #expect(try read(written) == written)
    #expect(written.payloadOffsets(from: 5) == [5, 25, 26])
    #expect(try read(journal(files: [])) == journal(files: []))
  }

  @Test func regionsLieInTheirFilesInOrder() {
    let files = [file("a"), file("b")]
    for (regions, words) in [
      ([region(2, 0, 1)], "outside of its file"), ([region(0, 90, 11)], "outside of its file"),
      ([region(0, 1 << 52, 1 << 52)], "outside of its file"),
      ([region(0, 10, 10), region(0, 19, 1)], "out of order"), ([region(1, 0, 1), region(0, 0, 1)], "out of order"),
      ([region(0, 0, 1, name: "")], "is not a tensor"),
    ] {
      // Lengths that no payload could have are not written out.
      let journal = journal(files: files, regions: regions)
      guard journal.payloadBytes < 1 << 20 else {
        #expect(throws: VPatchError.self) {
          try Journal.read(InputFile(path: scratch.write(journal.head(), as: "journal")))
        }
        continue
      }
      #expect(reason(journal)?.contains(words) == true, "\(words)")
    }
    #expect(reason(journal(files: files.reversed()))?.contains("out of order") == true)
    #expect(reason(journal(files: [files[0], files[0]]))?.contains("out of order or twice") == true)
  }

  @Test(arguments: ["../a", "a/b", "", ".", "..", "/etc/passwd", "a\u{0}b", "a\\b"]) func namesThatLeadOut(name: String)
  {
    let a = file("a")
    let temporary = ".c.vpatch-aB3xyz"
    for journal in [
      journal(files: [.init(name: name, identity: a.identity)]),
      journal(files: [], renames: [.init(from: temporary, to: name, identity: a.identity, over: nil)]),
      journal(files: [], removals: [.init(name: name, identity: a.identity)]),
    ] {
      #expect(reason(journal)?.contains("not the name of a file") == true)
    }
    let from = journal(
      files: [], renames: [.init(from: "x/\(temporary)", to: "c", identity: a.identity, over: nil)])
    #expect(reason(from)?.contains("not the name of a file") == true)
  }

  @Test func onlyTemporaryFilesAreRenamed() {
    let a = file("a")
    for from in ["config.json", ".vpatch-abcdef", ".c.vpatch-abc", ".c.vpatch-abc!ef", "c.vpatch-abcdef"] {
      let journal = journal(files: [], renames: [.init(from: from, to: "c", identity: a.identity, over: nil)])
      #expect(reason(journal)?.contains("not a temporary file") == true, "\(from)")
    }
  }

  @Test func aFileIsChangedInOneWay() {
    let a = file("a")
    let rename = Journal.Rename(from: ".c.vpatch-aB3xyz", to: "a", identity: a.identity, over: nil)
    for journal in [
      journal(files: [a], renames: [rename]), journal(files: [a], removals: [.init(name: "a", identity: a.identity)]),
      journal(files: [], renames: [rename, rename]),
      journal(files: [], renames: [rename], removals: [.init(name: "a", identity: a.identity)]),
    ] {
      #expect(reason(journal)?.contains("changes a file in two ways") == true)
    }
  }

  @Test(arguments: [
    ("\"files\":[]", "\"files\":[],\"more\":1"), ("\"removals\":[],", ""), ("\"from\":\"", "\"from\": \""),
    ("\"regions\":[]", "\"regions\":{}"),
  ]) func headersOfAnotherShape(find: String, replacement: String) throws {
    let head = journal(files: []).head()
    let text = String(decoding: head[64...], as: UTF8.self)
    #expect(text.contains(find))
    let header = Array(text.replacingOccurrences(of: find, with: replacement).utf8)
    var bytes = Array(head[..<32])
    bytes.replaceSubrange(16..<24, with: [UInt8](littleEndian: UInt64(header.count)))
    bytes += SHA256Hasher.hash(bytes + header).bytes + header
    let path = scratch.write(bytes, as: "journal")
    let error = try #require(refusal { _ = try Journal.read(InputFile(path: path)) })
    #expect(error.code == .invalid)
  }

  @Test func aHeaderHasItsLimit() throws {
    let path = scratch.write(
      Array(journal(files: []).head()[..<16]) + [UInt8](littleEndian: UInt64(1 << 26 + 1))
        + [UInt8](repeating: 0, count: 40), as: "journal")
    truncate(path, 64 + 1 << 26 + 1)
    let error = try #require(refusal { _ = try Journal.read(InputFile(path: path)) })
    #expect(error.reason == "declares a header of 67108865 bytes")
  }

  @Test func regionsTogetherHaveALimit() throws {
    // A hole of a file may have any length; many of them, with an empty payload, once overflowed their sum.
    let limit = Limits.number
    let files = (0..<900).map { Journal.File(name: "f\(1000 + $0)", identity: LastingIdentity("1:\(limit):0:0")!) }
    for (regions, words) in [
      (files.indices.map { region($0, 0, limit) }, "bytes together"),
      ([region(0, 0, limit), region(1, 0, 1)], "bytes together"),
      ([region(0, 0, limit)], "length differs from its payload"),
    ] {
      let header = journal(files: files, regions: regions).head()[64...]
      var bytes = Array(journal(files: []).head()[..<16]) + [UInt8](littleEndian: UInt64(header.count))
      bytes += [UInt8](littleEndian: UInt64(0))
      bytes += SHA256Hasher.hash(bytes + header).bytes + header
      let path = scratch.write(bytes, as: "journal")
      let error = try #require(refusal { _ = try Journal.read(InputFile(path: path)) })
      #expect(error.code == .invalid)
      #expect(error.reason.contains(words), "\(error)")
    }
  }

  // MARK: Identities and leftovers

  @Test func anIdentityIsThatOfTheFileAndNotOfItsName() throws {
    let path = scratch.write([1, 2, 3], as: "a")
    let before = try #require(try LastingIdentity.of(path, followingLinks: true))
    #expect(LastingIdentity(before.description) == before)
    #expect(before.size == 3)
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.write(contentsOf: Data([9]))
    try handle.close()
    #expect(try LastingIdentity.of(path, followingLinks: true) == before, "other bytes, the same file")
    try Directory.rename(path, to: scratch.file("b"))
    #expect(try LastingIdentity.of(scratch.file("b"), followingLinks: true) == before)
    #expect(try LastingIdentity.of(path, followingLinks: true) == nil)
    try FileManager.default.removeItem(atPath: scratch.file("b"))
    scratch.write([1, 2, 3], as: "b")
    #expect(try LastingIdentity.of(scratch.file("b"), followingLinks: true) != before)
    for text in ["", "1:2:3", "1:2:3:4:5", "1::3:4", "a:2:3:4", "1:-2:3:4", "1:99999999999999999999:3:4"] {
      #expect(LastingIdentity(text) == nil, "\(text)")
    }
  }

  @Test func leftoversOfTheDeadAlone() throws {
    let alive = try OutputFile(path: scratch.file("a"))
    let dead = ["a", "b", "ab"].map { scratch.write([1], as: TemporaryName.random(for: $0)) }.map(Path.name)
    // What a user may call a file, and what an earlier version left.
    let foreign = [
      ".a.vpatch-backup", ".a.vpatch-abcdef", ".a.vpatch-0123456789abcdef", ".a.vpatch-abc", "a.vpatch-abcdef",
    ]
    for name in foreign { scratch.write([1], as: name) }
    #expect(try TemporaryFiles.removeAbandoned(in: scratch.path, of: ["a"]) == 1)
    #expect(scratch.entries.sorted() == ([alive.temporaryName] + dead[1...] + foreign).sorted())
    #expect(try TemporaryFiles.removeAbandoned(in: scratch.path, of: nil) == 2)
    #expect(scratch.entries.sorted() == ([alive.temporaryName] + foreign).sorted())
  }
}
