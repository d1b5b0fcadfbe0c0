import Base
import Catalogue
import Foundation
import PatchFormat
import TestModels
import Testing

@Suite("Adding to a store") struct AddTests {
  let fixture: StoreFixture
  var folder: TestFolder { fixture.folder }
  var store: Store { fixture.store }

  init() throws { fixture = try StoreFixture() }

  @Test("a copy under its identity, a row, and the maker's name as alias") func add() throws {
    let file = try fixture.patch("a.vpatch", to: 1, name: "counting", recipe: "full", note: "n")
    let addition = try store.addReporting(file: file)
    #expect(addition.outcome == .added && addition.alias == "counting" && addition.notes == [])
    let identity = try Patch(path: file).identity
    #expect(addition.identity == identity)
    #expect(try folder.bytes(fixture.file(of: identity)) == folder.bytes("a.vpatch"))
    let row = try #require(try store.stored(identity))
    #expect(row.name == "counting" && row.recipe == "full" && row.note == "n" && row.aliases == ["counting"])
    #expect(row.tensors == 1 && row.tunedBytes == 4 && row.kind == .patch)
    #expect(row.fileBytes == (try folder.bytes("a.vpatch").count))
    #expect(try store.patch(identity).identity == identity)
    #expect(try store.path(of: identity) == fixture.file(of: identity))
    #expect(try store.label(identity) == "counting")
    #expect(try store.bases().map(\.tensors) == [1])
  }

  @Test("a second time it is there already; annotations that differ are said, and stay") func again() throws {
    try store.add(file: fixture.patch("a", to: 1, name: "counting"))
    let same = try store.addReporting(file: folder["a"])
    #expect(same.outcome == .present && same.alias == "counting" && same.notes == [])
    let other = try store.addReporting(file: fixture.patch("b", to: 1, name: "counting", note: "new"))
    #expect(other.outcome == .present)
    #expect(
      other.notes.count == 1 && other.notes[0].contains("has other annotations (name, note, measurements) than"))
    #expect(try store.stored(other.identity)?.note == nil)
    #expect(try store.count() == 1)
  }

  @Test("a file that is gone or damaged is whole again by adding it") func restores() throws {
    let identity = try fixture.added(to: 1)
    try FileManager.default.removeItem(atPath: fixture.file(of: identity))
    let gone = message { _ = try store.patch(identity) }
    #expect(gone.contains("lacks its file") && gone.contains("add the file again with vpatch add"))
    #expect(try store.path(of: identity) == nil)
    #expect(try store.addReporting(file: folder["0-1.vpatch"]).outcome == .restored)
    _ = try store.patch(identity)
    var bytes = try folder.bytes(fixture.file(of: identity))
    bytes[bytes.count / 2] ^= 1
    try Data(bytes).write(to: URL(filePath: fixture.file(of: identity)))
    #expect(code { _ = try store.patch(identity) } == .invalid)
    #expect(try store.addReporting(file: folder["0-1.vpatch"]).outcome == .restored)
    #expect(try store.patch(identity).identity == identity)
  }

  @Test("a file under another's name is found out") func swapped() throws {
    let (a, b) = (try fixture.added(to: 1), try fixture.added(to: 2))
    try FileManager.default.removeItem(atPath: fixture.file(of: a))
    try FileManager.default.copyItem(atPath: fixture.file(of: b), toPath: fixture.file(of: a))
    #expect(message { _ = try store.patch(a) }.contains("is another patch: \(b.short)"))
  }

  @Test("what is not in the store, is said to be added") func unknown() throws {
    let error = message { _ = try store.patch(.zero) }
    #expect(error == "patch 000000000000: is not in the store \(store.path); add its file with vpatch add")
    #expect(try store.path(of: .zero) == nil)
    #expect(try store.label(.zero) == nil)
  }

  @Test("the first that is no patch ends it: those before it are in, those behind it not") func middle() throws {
    try folder.write("bad", "no patch")
    let files = try [fixture.patch("1", to: 1), folder["bad"], fixture.patch("2", to: 2)]
    var added: [Addition] = []
    let error = message { try store.add(files, each: { added.append($0) }) }
    #expect(error.contains("bad: is not a vpatch file"))
    #expect(added.map(\.path) == [files[0]])
    #expect(try store.patches().map(\.identity) == added.map(\.identity))
    #expect(try store.check().isSound)
  }

  @Test("many at once, some of them twice") func many() throws {
    let files = try (0..<300).map { try fixture.patch("p\($0)", to: Int32($0 % 290 + 1)) }
    var outcomes: [Addition.Outcome] = []
    try store.add(files, each: { outcomes.append($0.outcome) })
    #expect(outcomes.count == 300 && outcomes.count { $0 == .added } == 290)
    #expect(try store.count() == 290)
    #expect(try fixture.reopened().check().isSound)
  }

  @Test("an alias that is taken stays; one that was asked for moves") func aliases() throws {
    let first = try fixture.added(to: 1, name: "counting")
    let second = try store.addReporting(file: fixture.patch("b", to: 2, name: "counting"))
    #expect(second.alias == nil)
    #expect(
      second.notes == [
        "the alias counting stays with \(first.short); vpatch alias counting \(second.identity.short) moves it"
      ])
    let moved = try store.addReporting(file: folder["b"], as: Admission(alias: "counting"))
    #expect(moved.alias == "counting" && moved.aliasWasOf == first)
    #expect(try store.resolve("counting") == second.identity)
    let odd = try store.addReporting(file: fixture.patch("c", to: 3, name: "150 steps"))
    #expect(odd.alias == nil && odd.notes.first?.contains("cannot be an alias: 1 to 100 letters") == true)
    #expect(code { try store.add(file: folder["c"], alias: "a@b") } == .refused)
  }

  @Test("a composite stays one until somebody adds it") func kinds() throws {
    let identity = try fixture.added(to: 1, name: "made", kind: .composite)
    #expect(try store.stored(identity)?.kind == .composite && store.aliases() == [])
    #expect(try store.patches() == [])
    try store.add(file: folder["0-1.vpatch"])
    #expect(try store.stored(identity)?.kind == .patch)
  }

  @Test("annotations written anew are in the catalogue too") func annotate() throws {
    let identity = try fixture.added(to: 1, name: "one")
    try store.editAnnotations(identity) { _ in .dictionary(["name": .string("two"), "note": .string("n")]) }
    #expect(try store.patch(identity).annotations["note"]?.string == "n")
    #expect(try store.stored(identity)?.name == "two")
    #expect(try store.check().isSound)
  }

  @Test("names that are no names: zero bytes, megabytes, look-alikes") func hostileNames() throws {
    let names = [
      "count\0ing", String(repeating: "x", count: 3 << 20), "e\u{301}", "é", "\u{1B}[2J", "a'); DROP TABLE tags; --",
    ]
    for (i, name) in names.enumerated() {
      let addition = try store.addReporting(
        file: fixture.patch("p\(i)", to: Int32(i + 1), name: name, recipe: name, note: name))
      #expect(addition.alias == nil && addition.notes.count == 1)
    }
    #expect(try store.patches().count == names.count)
    #expect(try store.patches().allSatisfy { $0.name!.utf8.count <= 200 })
    #expect(try store.check().findings == [])
    #expect(code { _ = try store.resolve("count") } == .io)
  }

  @Test("two stores on one folder see each other, and wait for each other") func two() throws {
    let other = try fixture.reopened()
    let files = try (0..<40).map { try fixture.patch("p\($0)", to: Int32($0 + 1)) }
    try Parallel.forEach(4, threads: 4) { i in
      try (i % 2 == 0 ? store : other).add(Array(files[(i / 2) * 20..<(i / 2) * 20 + 20]))
    }
    #expect(try other.count() == 40 && store.count() == 40)
    #expect(try store.check().isSound)
  }
}
