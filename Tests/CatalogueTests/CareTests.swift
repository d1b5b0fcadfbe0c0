import Base
import Foundation
import GRDB
import PatchFormat
import TestModels
import Testing

@testable import Catalogue

@Suite("Care of a store") struct CareTests {
  let fixture: StoreFixture
  var folder: TestFolder { fixture.folder }
  var store: Store { fixture.store }
  let ids: [ContentDigest]

  init() throws {
    fixture = try StoreFixture()
    ids = try (1...3).map { [fixture] in try fixture.added(to: $0, name: "p\($0)") }
  }

  private func damage(_ identity: ContentDigest) throws {
    var bytes = try folder.bytes(fixture.file(of: identity))
    bytes[bytes.count - 1] ^= 1
    try Data(bytes).write(to: URL(filePath: fixture.file(of: identity)))
  }

  @Test("all is well") func sound() throws {
    let report = try store.check()
    #expect(report.findings == [] && report.isSound && report.patches == 3 && report.bytes > 0)
  }

  @Test("gone and damaged files are found, and cannot be mended from nothing") func lost() throws {
    try FileManager.default.removeItem(atPath: fixture.file(of: ids[0]))
    try damage(ids[1])
    for repair in [false, true] {
      let report = try store.check(repair: repair)
      #expect(Set(report.findings.map(\.kind)) == [.missing, .damaged] && !report.isSound)
      #expect(report.findings.contains { $0.what == "is missing: p1" })
      #expect(try store.count() == 3)
    }
    try store.add([1, 2].map { folder["0-\($0).vpatch"] })
    #expect(try store.check().isSound)
  }

  @Test("a row that is older than its file is written anew") func stale() throws {
    let file = fixture.file(of: ids[0])
    try Patch(path: file).write(annotations: .dictionary(["name": .string("new")]), to: file, replacing: true)
    let report = try store.check()
    #expect(report.findings.map(\.kind) == [.stale] && !report.isSound)
    #expect(try store.check(repair: true).isSound)
    #expect(try store.stored(ids[0])?.name == "new" && store.stored(ids[0])?.aliases == ["p1"])
    #expect(try store.check().findings == [])
  }

  @Test("files that nothing knows: taken in by repair, deleted by gc, where they are patches") func orphans() throws {
    try store.write { db in
      try db.execute(sql: "DELETE FROM aliases; DELETE FROM patches WHERE identity = ?", arguments: [ids[0].data])
    }
    let folderOfOrphan = Path.parent(fixture.file(of: ids[0]))
    try "half".write(
      toFile: Path.join(folderOfOrphan, TemporaryFiles.name(for: "\(ids[0].hex).vpatch")), atomically: false,
      encoding: .utf8)
    try "mine".write(toFile: Path.join(folderOfOrphan, "notes.txt"), atomically: false, encoding: .utf8)
    #expect(try Set(store.check().findings.map(\.kind)) == [.unknown, .temporary, .foreign])
    let garbage = try store.garbage()
    #expect(garbage.orphans == [fixture.file(of: ids[0])] && garbage.temporaries.count == 1 && garbage.derived == [])
    let repaired = try store.check(repair: true)
    #expect(repaired.findings.filter { !$0.isRepaired }.map(\.kind) == [.foreign])
    #expect(try store.stored(ids[0]) != nil)
    #expect(try store.garbage().isEmpty)
    #expect(try PathKind.of(Path.join(folderOfOrphan, "notes.txt")) == .file)
  }

  @Test("gc deletes orphans and temporaries, and no patch that was added") func collect() throws {
    let stray = try Patch(path: fixture.patch("stray", to: 99)).identity
    try FileManager.default.createDirectory(
      atPath: Path.parent(fixture.file(of: stray)), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: folder["stray"], toPath: fixture.file(of: stray))
    let left = "store/" + TemporaryFiles.name(for: "catalogue.sqlite")
    try folder.write(left, "half")
    let size = try folder.bytes("stray").count
    let gone = try store.collect()
    #expect(gone.orphans == [fixture.file(of: stray)] && gone.bytes == size + 4)
    #expect(try PathKind.of(fixture.file(of: stray)) == .missing)
    #expect(!folder.exists(left))
    #expect(try store.check().isSound && store.count() == 3)
  }

  @Test("a lost catalogue is made anew from the files") func rebuilt() throws {
    try store.close()
    try FileManager.default.removeItem(atPath: folder["store/catalogue.sqlite"])
    // What was being made when it was lost is no hindrance.
    try folder.write("store/\(TemporaryFiles.name(for: "making-7"))/made.vpatch", "half")
    let error = message { _ = try Store(path: folder["store"], create: false) }
    #expect(error.contains("has no catalogue.sqlite; vpatch fsck --repair creates one from its patch files"))
    let again = try Store(path: folder["store"])
    let report = try again.check(repair: true)
    #expect(report.findings.count { $0.kind == .unknown } == 3 && report.isSound)
    #expect(try Set(again.patches().map(\.identity)) == Set(ids))
  }

  @Test("a stack whose members are not those of its definition") func stacks() throws {
    let base = try #require(try store.stored(ids[0])).base
    _ = try store.saveStack(name: "s", definition: StackDefinition(base: base, members: ids.map { .init($0) }))
    try store.write { db in try db.execute(sql: "UPDATE stack_members SET scale = 2") }
    #expect(try store.check().findings.map(\.kind) == [.stack])
    try store.write { db in try db.execute(sql: "UPDATE stack_versions SET definition = '{}'") }
    let found = try store.check().findings
    #expect(found.map(\.kind) == [.stack] && found[0].what.contains("has a stack without a base"))
  }

  @Test("a reference to nothing is found") func references() throws {
    try store.close()
    let queue = try DatabaseQueue(path: folder["store/catalogue.sqlite"])
    try queue.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA foreign_keys = OFF; INSERT INTO tags (name, patch) VALUES ('x', 77)")
    }
    try queue.close()
    let report = try fixture.reopened().check()
    #expect(report.findings.map(\.kind) == [.catalogue] && report.findings[0].what.contains("tags"))
  }
}
