import Base
import Catalogue
import PatchFormat
import Testing

@Suite("Stacks and applications in a store") struct StackTests {
  let fixture: StoreFixture
  var store: Store { fixture.store }
  let ids: [ContentDigest]
  let base: ContentDigest

  init() throws {
    fixture = try StoreFixture()
    let added = try (1...3).map { [fixture] in try fixture.added(to: $0, name: "p\($0)") }
    ids = added
    base = try #require(try fixture.store.stored(added[0])).base
  }

  private func definition(_ members: Int..., scale: Double = 1) throws -> StackDefinition {
    try StackDefinition(base: base, members: members.map { .init(ids[$0], scale: scale) })
  }

  @Test("versions: a new one for a new definition alone") func versions() throws {
    #expect(try store.saveStack(name: "s", definition: definition(0, 1)) == 1)
    #expect(try store.saveStack(name: "s", definition: definition(1, 0)) == 1)
    #expect(try store.saveStack(name: "s", definition: definition(0, 1, scale: 0.8)) == 2)
    #expect(try store.saveStack(name: "s", definition: definition(0, 1)) == 3)
    #expect(try store.stack("s").version == 3)
    #expect(try store.stack("s", version: 2).definition == definition(0, 1, scale: 0.8))
    #expect(try store.versions(ofStack: "s").map(\.version) == [1, 2, 3])
    #expect(try store.saveStack(name: "empty", definition: definition()) == 1)
    #expect(try store.stacks().map(\.name) == ["empty", "s"])
    #expect(try store.stacks().map(\.version) == [1, 3])
    #expect(try store.check().isSound)
  }

  @Test("what is not there: near misses") func unknown() throws {
    _ = try store.saveStack(name: "triage", definition: definition(0))
    #expect(message { _ = try store.stack("traige") } == "traige: is not a stack in the store; did you mean triage?")
    #expect(message { _ = try store.stack("triage", version: 4) } == "triage: has no version 4; its last one is 1")
    #expect(code { try store.removeStack("x") } == .io)
    try store.removeStack("triage")
    #expect(try store.stacks() == [] && store.count() == 3)
  }

  @Test("members that are unknown or of another base, names that cannot be: nothing is saved") func refused() throws {
    let stranger = try fixture.added(from: 5, to: 6)
    let wrong = try StackDefinition(base: base, members: [.init(ids[0]), .init(stranger)])
    #expect(code { _ = try store.saveStack(name: "s", definition: wrong) } == .wrongBase)
    let unknown = try StackDefinition(base: base, members: [.init(.zero)])
    #expect(
      message { _ = try store.saveStack(name: "s", definition: unknown) }.contains("add its file with vpatch add"))
    #expect(code { _ = try store.saveStack(name: "s@1", definition: definition(0)) } == .refused)
    #expect(try store.stacks() == [])
  }

  @Test("a member stays while a stack has it") func remove() throws {
    _ = try store.saveStack(name: "s", definition: definition(0, 1))
    _ = try store.saveStack(name: "s", definition: definition(0))
    let error = message { try store.remove([ids[0]], named: ["p1"]) }
    #expect(error == "patch \(ids[0].short): is in the stack s (version 1, 2); remove the stack first")
    #expect(code { try store.remove([ids[2], ids[1]], force: true) } == .refused)
    #expect(try store.count() == 3 && store.path(of: ids[2]) != nil)
    try store.removeStack("s")
    try store.remove([ids[0]], named: ["p1"])
    #expect(try store.count() == 2)
    #expect(try PathKind.of(fixture.file(of: ids[0])) == .missing)
  }

  @Test("other aliases and tags need force") func removeNamed() throws {
    try store.alias("other", ids[0])
    #expect(message { try store.remove([ids[0]], named: ["p1"]) }.contains("has the alias other; --force"))
    try store.removeAlias("other")
    try store.tag(ids[0], ["good"])
    #expect(message { try store.remove([ids[0]], named: ["p1"]) }.contains("has the tag good; --force"))
    #expect(try store.remove([ids[0]], force: true) > 0)
    #expect(try store.tags().isEmpty && store.aliases().count == 2)
    #expect(code { try store.remove([ids[0]]) } == .io)
  }

  @Test("a composite is known by its stack, and goes when nothing needs it") func composites() throws {
    let stack = try definition(0, 1)
    let composite = try fixture.added(to: 9, kind: .composite)
    try store.setComposite(stackIdentity: stack.identity, patch: composite)
    #expect(try store.composite(stackIdentity: stack.identity) == composite)
    #expect(try store.composite(stackIdentity: .zero) == nil)
    _ = try store.saveStack(name: "s", definition: stack)
    #expect(try store.stack("s").composite == composite)
    #expect(try store.garbage().isEmpty)
    _ = try store.saveStack(name: "s", definition: definition(0))
    #expect(try store.garbage().isEmpty)
    try store.removeStack("s")
    #expect(try store.garbage().derived.map(\.identity) == [composite])
    #expect(try store.count() == 3)
    let gone = try store.collect()
    #expect(gone.derived.map(\.identity) == [composite] && gone.bytes > 0)
    #expect(try PathKind.of(fixture.file(of: composite)) == .missing)
    #expect(try store.composite(stackIdentity: stack.identity) == nil)
    #expect(try store.collect().isEmpty && store.check().isSound)
  }

  @Test("what an application needs stays until it is undone") func applications() throws {
    let composite = try fixture.added(to: 9, kind: .composite)
    let (before, after) = (JSON.dictionary(["a": JSON(1)]), JSON.dictionary(["a": JSON(2)]))
    let id = try store.beginApplication(
      model: "/m", kind: "switch", before: before, after: after, patches: [composite, ids[0]])
    #expect(try store.collect().isEmpty)
    #expect(
      message { try store.remove([ids[0]], force: true) }
        == "patch \(ids[0].short): is needed to revert /m; revert the model first; "
        + "if it no longer exists, run vpatch gc --forget MODEL --yes"
    )
    try store.finishApplication(id)
    #expect(code { try store.finishApplication(id) } == .refused)
    #expect(code { try store.abandonApplication(id) } == .refused)
    let application = try #require(try store.applications(model: "/m").first)
    #expect(application.state == .done && application.before == before && application.after == after)
    #expect(application.patches == [composite, ids[0]].sorted())
    #expect(try store.collect().isEmpty)
    try store.markUndone(id)
    #expect(try store.applications(model: "/m").map(\.state) == [.undone])
    #expect(try store.collect().derived.map(\.identity) == [composite])
    #expect(try store.applications(model: "/other") == [])
  }

  @Test("what never happened, and a model that is no more, need nothing") func forgotten() throws {
    let composite = try fixture.added(to: 9, kind: .composite)
    let first = try store.beginApplication(
      model: "/m", kind: "switch", before: .null, after: .null, patches: [composite])
    try store.abandonApplication(first)
    #expect(try store.applications() == [])
    let second = try store.beginApplication(
      model: "/m", kind: "switch", before: .null, after: .null, patches: [composite])
    #expect(second > first)
    try store.finishApplication(second)
    #expect(message { _ = try store.garbage(forgetting: ["/n"]) }.contains("/n: is not a model in the store's records"))
    #expect(try store.garbage().isEmpty)
    #expect(try store.garbage(forgetting: ["/m"]).derived.count == 1)
    #expect(try store.applications().count == 1)
    #expect(try store.collect(forgetting: ["/m"]).derived.count == 1)
    #expect(try store.applications() == [])
    #expect(
      code { _ = try store.beginApplication(model: "/m", kind: "x", before: .null, after: .null, patches: [.zero]) }
        == .io)
    #expect(try store.applications() == [])
  }

  @Test("a stack's records") func records() throws {
    let identity = try definition(0).identity
    try store.addRecord(stackIdentity: identity, .dictionary(["n": JSON(1)]))
    try store.addRecord(stackIdentity: identity, .dictionary(["n": JSON(2)]))
    #expect(try store.records(stackIdentity: identity).map { $0["n"]?.int } == [1, 2])
    #expect(try store.records(stackIdentity: .zero) == [])
  }
}
