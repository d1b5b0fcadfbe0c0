import Base
import GRDB
import PatchFormat
import TestModels
import Testing

@testable import Catalogue

@Suite("Leases: what a running command needs stays") struct LeaseTests {
  let fixture: StoreFixture
  var folder: TestFolder { fixture.folder }
  var store: Store { fixture.store }
  /// Another process.
  let other: Store

  init() throws {
    fixture = try StoreFixture()
    other = try fixture.reopened()
  }

  private func composite(_ number: Int32 = 9) throws -> ContentDigest {
    try fixture.added(to: number, kind: .composite)
  }
  private var leases: Int {
    get throws { try store.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM leases")! } }
  }

  @Test("neither gc nor rm takes what another has leased, until it lets go") func held() throws {
    let made = try composite()
    try other.lease(made)
    #expect(try store.garbage().isEmpty && store.collect().isEmpty)
    let error = message { try store.remove([made]) }
    #expect(error == "patch \(made.short): is in use by a running vpatch; try again when that has ended")
    #expect(code { try store.remove([made], force: true) } == .refused)
    #expect(try store.check().findings == [])
    other.release()
    #expect(try leases == 0)
    #expect(try store.collect().derived.map(\.identity) == [made])
  }

  @Test("a process may remove what it has leased itself") func own() throws {
    let patch = try fixture.added(to: 1)
    try store.lease(patch)
    try store.remove([patch])
    #expect(try store.count() == 0 && leases == 0 && store.check().isSound)
  }

  @Test("leases of a process that was killed hold nothing, and are cleared") func killed() throws {
    let (made, patch) = (try composite(), try fixture.added(to: 1))
    // Its number is one that nobody holds.
    try store.write { db in
      for id in try Int64.fetchAll(db, sql: "SELECT id FROM patches") { try Store.lease(id, 77, db) }
    }
    let scratch = "store/\(TemporaryFiles.name(for: "making-77"))"
    try folder.write("\(scratch)/made.vpatch", "half")
    #expect(try store.check().findings.map(\.kind) == [.temporary, .temporary])
    #expect(try store.garbage().derived.map(\.identity) == [made])
    let gone = try store.collect()
    #expect(gone.derived.map(\.identity) == [made] && gone.temporaries.count == 2)
    #expect(try leases == 0 && !folder.exists(scratch))
    try store.remove([patch])
    #expect(try store.count() == 0)
  }

  @Test("fsck --repair clears them too") func repaired() throws {
    _ = try composite()
    try store.write { db in try Store.lease(1, 77, db) }
    #expect(try store.check(repair: true).findings == [])
    #expect(try leases == 0)
  }

  @Test("a patch that is not there cannot be leased") func unknown() throws {
    #expect(message { try store.lease(.zero) }.contains("is not in the store"))
    #expect(try store.leaseComposite(stackIdentity: .zero) == nil)
    #expect(try leases == 0)
  }

  @Test("what is made is leased in the moment it is there, as the composite of its stack") func made() throws {
    let patch = try other.keep(.composite, stack: .zero, threads: 1) { path in
      #expect(try store.collect().isEmpty && store.check().findings == [])
      _ = try fixture.patch("made", to: 5)
      try folder.write(String(path.dropFirst(folder.path.count + 1)), folder.bytes("made"))
      #expect(try store.collect().isEmpty)
    }
    #expect(try store.composite(stackIdentity: .zero) == patch.identity)
    #expect(try store.collect().isEmpty)
    #expect(try folder.names(in: "store").filter { $0.hasPrefix(".making") } == [])
    other.release()
    #expect(try store.collect().derived.map(\.identity) == [patch.identity])
  }

  @Test("patches that are open are kept, or come in; what was taken out of the store does not come back")
  func openOnes() throws {
    let identity = try fixture.added(to: 1, name: "one")
    let (given, stored) = (try Patch(path: folder["0-1.vpatch"]), try other.patch(identity))
    try store.remove([identity], named: ["one"])
    #expect(message { try other.keep([stored]) }.contains("is not in the store"))
    try other.keep([given])
    #expect(try store.stored(identity)?.kind == .patch && store.check().isSound)
    #expect(code { try store.remove([identity], named: ["one"]) } == .refused)
    // A composite does not become somebody's by that.
    let made = try composite()
    try other.keep([try other.patch(made)])
    #expect(try store.stored(made)?.kind == .composite)
  }

  @Test("an application takes what must be there, and what happens to be") func application() throws {
    let (made, patch) = (try composite(), try fixture.added(to: 1))
    #expect(
      code {
        _ = try store.beginApplication(model: "/m", kind: "x", before: .null, after: .null, patches: [made, .zero])
      } == .io)
    #expect(try store.applications() == [])
    _ = try store.beginApplication(
      model: "/m", kind: "x", before: .null, after: .null, patches: [made], ifThere: [patch, made, .zero])
    #expect(try store.applications().map(\.patches) == [[made, patch].sorted()])
    #expect(try store.collect().isEmpty)
  }

  @Test("alias, tags, and where the base is: with the patch, or not at all") func admission() throws {
    let file = try fixture.patch("a", to: 1, name: "one")
    let admission = Admission(alias: "x", tags: ["good", "late"], basePath: "/models/base")
    let identity = try store.addReporting(file: file, as: admission).identity
    let row = try #require(try store.stored(identity))
    #expect(row.aliases == ["x"] && row.tags == ["good", "late"])
    #expect(try store.sightings(row.base) == ["/models/base"])
    #expect(code { try store.add([fixture.patch("b", to: 2)], as: Admission(tags: ["1"])) } == .refused)
    #expect(try store.count() == 1)
  }
}
