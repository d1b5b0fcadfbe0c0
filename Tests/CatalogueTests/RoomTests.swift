import Base
import Foundation
import GRDB
import Glibc
import TestModels
import Testing

@testable import Catalogue

@Suite("A store of an earlier version; copies in memory; the reserve") struct RoomTests {
  let folder: TestFolder
  private static let first = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "fixtures/store-1").path

  init() throws {
    folder = try TestFolder()
    try FileManager.default.copyItem(atPath: Self.first, toPath: folder["store"])
  }

  /// All that the fixture holds.
  private func expectAll(_ store: Store) throws {
    #expect(try store.aliases().map(\.name) == ["a", "b", "c", "first"])
    #expect(try store.tags().map { "\($0.name) \($0.patches)" } == ["good 2", "late 1"])
    #expect(try store.patches().map(\.label) == ["c", "b", "a"])
    let stack = try store.stack("both")
    #expect(stack.version == 2 && stack.definition.members.map(\.scale) == [0.25, 0.5, 1])
    let composite = try #require(stack.composite)
    #expect(try store.patch(composite).identity == composite && store.stored(composite)?.kind == .composite)
    let application = try #require(try store.applications().first)
    #expect(application.kind == "switch" && application.state == .done && application.patches == [composite])
    #expect(try store.bases().count == 1 && store.sightings(stack.definition.base).count == 1)
    #expect(try store.garbage().isEmpty)
    #expect(try store.check().findings == [])
  }

  @Test("a store of version 1 opens, with all that was in it, and has the schema of today") func earlier() throws {
    let store = try Store(path: folder["store"], create: false)
    try expectAll(store)
    let version = try store.read { try Int.fetchOne($0, sql: "PRAGMA user_version") }
    #expect(version == Schema.version)
    try store.lease(try store.resolve("a"))
    try store.close()
    try expectAll(try Store(path: folder["store"], create: false))
  }

  @Test("several processes at once bring it up to date") func migratedByMany() throws {
    try Parallel.forEach(8, threads: 8) { _ in
      _ = try Store(path: folder["store"], create: false).patches()
    }
    try expectAll(try Store(path: folder["store"], create: false))
  }

  @Test("a copy in memory holds the same, also of version 1, and nothing of it is written") func copy() throws {
    let before = try folder.tree("store")
    let file = CatalogueFile(path: folder["store/catalogue.sqlite"])
    let queue = try file.copy()
    let count = try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM leases") }
    #expect(count == 0)
    #expect(try folder.tree("store") == before)
  }

  @Test("what is still in the write-ahead log counts, up to the last transaction that is whole") func log() throws {
    let path = folder["store/catalogue.sqlite"]
    let writer = try Store(path: folder["store"], create: false)
    for i in 0..<40 { try writer.alias("n\(i)", writer.resolve("a")) }
    func names() throws -> [String] {
      try CatalogueFile(path: path).copy().read { db in
        try String.fetchAll(db, sql: "SELECT name FROM aliases WHERE name LIKE 'n%' ORDER BY length(name), name")
      }
    }
    let all = (0..<40).map { "n\($0)" }
    #expect(try names() == all)
    #expect(try writer.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") } == ["ok"])
    // Cut anywhere, or damaged anywhere, it holds a beginning of what was done.
    let (whole, database) = (try folder.bytes("store/catalogue.sqlite-wal"), try folder.bytes(path))
    var random = TestRandom(3)
    for round in 0..<40 {
      var log = whole
      let at = Int(random.next() % UInt64(whole.count))
      if round % 2 == 0 { log.removeLast(whole.count - at) } else { log[at] ^= 0x40 }
      var bytes = database
      CatalogueImage.replay(log, on: &bytes)
      (bytes[18], bytes[19]) = (1, 1)
      let queue = try DatabaseQueue(path: folder.write("one.sqlite", bytes))
      let found: [String] = try queue.read { db in
        guard try Int.fetchOne(db, sql: "PRAGMA user_version") == Schema.version else { return [] }
        #expect(try String.fetchAll(db, sql: "PRAGMA integrity_check") == ["ok"])
        return try String.fetchAll(
          db, sql: "SELECT name FROM aliases WHERE name LIKE 'n%' ORDER BY length(name), name")
      }
      #expect(found == Array(all.prefix(found.count)))
      try queue.close()
    }
  }

  @Test("logs that are none change nothing, and none can make a catalogue of gigabytes") func hostileLogs() throws {
    let database = try folder.bytes("store/catalogue.sqlite")
    var random = TestRandom(5)
    for length in [0, 1, 31, 32, 56, 4152, 9000] {
      var bytes = database
      CatalogueImage.replay((0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }, on: &bytes)
      #expect(bytes == database)
    }
    // The header of a log, with sums that are right: page 2³² - 1, of as many.
    for (page, count) in [(UInt32.max, UInt32.max), (1, UInt32.max), (0, 1), (2, 1)] as [(UInt32, UInt32)] {
      var bytes = database
      CatalogueImage.replay(Self.log(page: page, count: count), on: &bytes)
      #expect(bytes.count <= database.count)
    }
  }

  /// A log of one frame, with the sums that it must have.
  private static func log(page: UInt32, count: UInt32) -> [UInt8] {
    func words(_ numbers: [UInt32]) -> [UInt8] {
      numbers.flatMap { n in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: n >> $0) } }
    }
    func sum(_ numbers: [UInt32], _ start: (UInt32, UInt32)) -> (UInt32, UInt32) {
      stride(from: 0, to: numbers.count, by: 2).reduce(into: start) { sum, i in
        sum.0 &+= numbers[i] &+ sum.1
        sum.1 &+= numbers[i + 1] &+ sum.0
      }
    }
    let header: [UInt32] = [0x377f_0683, 3_007_000, 4096, 0, 1, 2]
    let first = sum(header, (0, 0))
    let frame: [UInt32] = [page, count]
    let content = [UInt32](repeating: 7, count: 1024)
    let second = sum(frame + content, first)
    return words(header + [first.0, first.1] + frame + [1, 2, second.0, second.1] + content)
  }

  @Test("the reserve is taken with a change, really, and again when it is gone") func reserve() throws {
    let store = try Store(path: folder["store"], create: false)
    #expect(!folder.exists("store/reserve"))
    _ = try store.collect()
    func blocks() -> Int {
      var info = stat()
      return lstat(folder["store/reserve"], &info) == 0 ? Int(info.st_blocks) * 512 : 0
    }
    #expect(blocks() >= 1 << 20)
    #expect(Reserve(store: store.path).release() && blocks() == 0)
    try store.remove([store.resolve("c")].filter { _ in false })
    #expect(blocks() >= 1 << 20)
    #expect(try store.check().findings == [])
  }
}
