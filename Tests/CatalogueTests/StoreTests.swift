import Base
import Foundation
import GRDB
import TestModels
import Testing

@testable import Catalogue

/// What is opened, and what is not.
@Suite("Store") struct StoreTests {
  let fixture: StoreFixture
  var folder: TestFolder { fixture.folder }
  var catalogue: String { folder["store/catalogue.sqlite"] }

  init() throws { fixture = try StoreFixture() }

  /// A store of its own whose catalogue is closed, to be changed from outside.
  private func closed(_ name: String = "other") throws -> String {
    _ = try Store(path: folder[name])
    return folder["\(name)/catalogue.sqlite"]
  }

  private func sql(_ path: String, _ sql: String) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
    try queue.close()
  }

  @Test("a new one has the header, a WAL, full durability, foreign keys") func fresh() throws {
    let header = try folder.bytes("store/catalogue.sqlite").prefix(100)
    #expect(Array(header[60..<64]) == [0, 0, 0, 3])
    #expect(Array(header[68..<72]) == Array("vpat".utf8))
    let pragmas = ["journal_mode", "synchronous", "foreign_keys", "cell_size_check", "trusted_schema"]
    let values = try fixture.store.read { db in
      try pragmas.map { try String.fetchOne(db, sql: "PRAGMA \($0)") }
    }
    #expect(values == ["wal", "2", "1", "1", "0"])
    #expect(try fixture.reopened().patches() == [])
  }

  @Test("the folders above it are made; there is none without being asked") func folders() throws {
    _ = try Store(path: folder["a/b/c"])
    #expect(folder.exists("a/b/c/catalogue.sqlite"))
    let error = message { _ = try Store(path: folder["d"], create: false) }
    #expect(
      error == "\(folder["d"]): is not a store: does not exist; vpatch add FILE creates one, or give another --store")
    #expect(!folder.exists("d"))
  }

  @Test("a file, and a folder with other things in it, are refused and left alone") func foreignFolder() throws {
    let file = try folder.write("file", "mine")
    #expect(message { _ = try Store(path: file) } == "\(file): is a file, not a store; give a folder")
    try folder.write("mine/notes.txt", "mine")
    let error = message { _ = try Store(path: folder["mine"]) }
    #expect(error.contains("is not a store: it contains \"notes.txt\" but no catalogue.sqlite; give an empty folder"))
    #expect(try folder.names(in: "mine") == ["notes.txt"])
  }

  @Test("what an interrupted beginning left is no hindrance") func interruptedBeginning() throws {
    try folder.write("s/lock", "")
    try folder.write("s/" + TemporaryFiles.name(for: "catalogue.sqlite"), "half")
    #expect(code { _ = try Store(path: folder["s"], create: false) } == .io)
    _ = try Store(path: folder["s"])
  }

  @Test("a later version's is refused") func later() throws {
    let path = try closed()
    try sql(path, "PRAGMA user_version = 4")
    let error = message { _ = try Store(path: folder["other"]) }
    #expect(
      error
        == "\(path): was written by a later version of vpatch (schema 4; this one supports up to 3); use that version")
  }

  @Test("a later version is also found where only the WAL says so") func laterInWAL() throws {
    let path = try closed()
    let queue = try DatabaseQueue(path: path)
    try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 4") }
    #expect(try folder.bytes("other/catalogue.sqlite")[63] == 3)
    #expect(message { _ = try Store(path: folder["other"]) }.contains("was written by a later version of vpatch"))
    try queue.close()
  }

  @Test("another program's database is refused, and not changed by a byte") func foreignDatabase() throws {
    try folder.write("other/lock", "")
    try sql(folder["other/catalogue.sqlite"], "CREATE TABLE t (x); INSERT INTO t VALUES (1)")
    let before = try folder.tree("other")
    let error = message { _ = try Store(path: folder["other"]) }
    #expect(error.contains("is an SQLite database of another program; give another --store"))
    #expect(try folder.tree("other") == before)
  }

  @Test(
    "a schema that is not ours is refused",
    arguments: [
      "CREATE TRIGGER t AFTER INSERT ON patches BEGIN DELETE FROM aliases; END",
      "CREATE VIEW v AS SELECT * FROM patches", "CREATE TABLE more (x)", "CREATE INDEX i ON patches (name)",
      "DROP INDEX patches_by_base", "ALTER TABLE tags ADD COLUMN more TEXT", "DROP TABLE records",
      """
      PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', 'WITHOUT ROWID') WHERE name = 'tags'
      """,
    ]) func hostileSchema(change: String) throws
  {
    let path = try closed()
    try sql(path, change)
    let error = message { _ = try Store(path: folder["other"]) }
    #expect(
      error.contains("has tables, views or triggers that do not belong to a catalogue; move it away")
        || error.contains("has a damaged catalogue"), "\(error)")
  }

  @Test("text, an empty file, a cut one, a link, a folder") func notADatabase() throws {
    let path = try closed()
    let whole = try folder.bytes("other/catalogue.sqlite")
    func error(_ bytes: [UInt8]) throws -> String {
      try folder.write("other/catalogue.sqlite", bytes)
      return message { _ = try Store(path: folder["other"]) }
    }
    #expect(try error([]).contains("is cut short; move it away and run vpatch fsck --repair"))
    #expect(try error(Array(repeating: 32, count: 4096)).contains("is not an SQLite database"))
    #expect(try error(Array(whole.prefix(whole.count / 2))).contains("has a damaged catalogue"))
    #expect(try error(Array(whole.prefix(700))).contains("has a damaged catalogue"))
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: catalogue)
    #expect(message { _ = try Store(path: folder["other"]) }.contains("is not a regular file"))
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(message { _ = try Store(path: folder["other"]) }.contains("is not a regular file"))
  }

  @Test("damaged pages end in an error, never in a crash") func damagedPages() throws {
    try fixture.added(to: 1, name: "one")
    let path = try closed()
    let store = try Store(path: folder["other"])
    for i in 1...5 { try store.add(file: fixture.patch("p\(i)", to: Int32(i), name: "p\(i)")) }
    try store.close()
    let whole = try folder.bytes("other/catalogue.sqlite")
    var random = TestRandom(7)
    for _ in 0..<60 {
      var bytes = whole
      let at = 100 + Int(random.next() % UInt64(whole.count - 100))
      for i in at..<min(at + 24, whole.count) { bytes[i] = UInt8(truncatingIfNeeded: random.next()) }
      try folder.write("other/catalogue.sqlite", bytes)
      do {
        let store = try Store(path: folder["other"])
        _ = try store.patches()
        _ = try store.aliases()
        _ = try store.check()
        try store.close()
      } catch let error as VPatchError {
        #expect([.invalid, .refused, .io].contains(error.code))
      }
    }
    #expect(try PathKind.of(path) == .file)
  }

  @Test(
    "values that this version never writes end in an error",
    arguments: [
      "UPDATE patches SET identity = x'0102'", "UPDATE patches SET status = 'great'",
      "UPDATE patches SET kind = 'evil'", "UPDATE patches SET learning = 1.0",
    ]) func damagedRows(change: String) throws
  {
    let path = try closed()
    let store = try Store(path: folder["other"])
    try store.add(file: fixture.patch("p", to: 1))
    try store.close()
    try sql(path, "PRAGMA ignore_check_constraints = ON; \(change)")
    let again = try Store(path: folder["other"])
    var filter = PatchFilter()
    filter.includesDerived = true
    #expect(message { _ = try again.patches(filter) }.contains("has a catalogue with"))
  }

  @Test("where it is by default") func defaultPath() throws {
    // The environment is the process's: what is set here must be what is set.
    let path = try Store.defaultPath()
    if let set = ProcessInfo.processInfo.environment["VPATCH_STORE"], !set.isEmpty {
      #expect(path == set)
    } else {
      #expect(path.hasSuffix("/vpatch"))
    }
  }
}
