import Base
import Testing

@testable import Catalogue

@Suite("Names in a store") struct NameTests {
  let fixture: StoreFixture
  var store: Store { fixture.store }

  init() throws { fixture = try StoreFixture() }

  @Test(
    "what can be an alias",
    arguments: ["a", "counting", "triage/v1.2_x-3", "Z", "face", String(repeating: "a", count: 100)])
  func valid(name: String) { #expect(Name.isValid(name)) }

  @Test(
    "what cannot",
    arguments: [
      "", "1a", ".a", "/a", "-a", "a b", "a@b", "a@0.5", "é", "a\u{301}", "a\n", "a:b",
      String(repeating: "a", count: 101),
      String(repeating: "a", count: 64),
    ]) func invalid(name: String)
  { #expect(!Name.isValid(name)) }

  @Test("alias, tag, then the beginning of an identity") func order() throws {
    let ids = try (1...3).map { try fixture.added(to: $0) }
    #expect(try store.resolve(String(ids[0].hex.prefix(8))) == ids[0])
    #expect(try store.resolve(ids[1].hex) == ids[1])
    #expect(try store.resolve(ids[1].hex.uppercased()) == ids[1])
    // An alias that looks like the beginning of another's identity is what is meant.
    let prefix = "f" + ids[2].hex.dropFirst().prefix(5)
    try store.alias(prefix, ids[0])
    #expect(try store.resolve(prefix) == ids[0])
    try store.tag(ids[1], ["good"])
    #expect(try store.resolve("good") == ids[1])
    try store.alias("good", ids[2])
    #expect(try store.resolve("good") == ids[2])
  }

  @Test("a tag of several, a beginning of several: all are named") func ambiguous() throws {
    let ids = try (1...3).map { try fixture.added(to: $0, name: "p\($0)") }
    for id in ids { try store.tag(id, ["sweep"]) }
    let tag = message { _ = try store.resolve("sweep") }
    #expect(tag.hasPrefix("sweep: is a tag of several patches: "))
    for (i, id) in ids.enumerated() { #expect(tag.contains("\(id.short) (p\(i + 1))")) }
    #expect(code { _ = try store.resolve("sweep") } == .refused)
  }

  @Test("a beginning of several identities") func ambiguousPrefix() throws {
    // The first two of these patches whose identities agree in four digits, both 9100…
    let first = try fixture.added(to: 43, name: "first")
    #expect(try store.resolve("9100") == first)
    let second = try fixture.added(to: 212)
    #expect(
      message { _ = try store.resolve("9100") } == "9100: begins the identities of several patches: "
        + "\(second.short), \(first.short) (first); give an alias or more digits of the identity")
    #expect(code { _ = try store.resolve("9100") } == .refused)
    #expect(try store.resolve(String(second.hex.prefix(8))) == second)
  }

  @Test("what is unknown: what is spelled alike") func nearMisses() throws {
    let id = try fixture.added(to: 1, name: "counting")
    try store.tag(id, ["clock"])
    #expect(
      message { _ = try store.resolve("coutning") }
        == "coutning: is not an alias, tag or identity of a patch in the store; did you mean counting?")
    #expect(message { _ = try store.resolve("clcok") }.hasSuffix("did you mean clock?"))
    #expect(message { _ = try store.resolve("xyz") }.hasSuffix("vpatch list shows all patches"))
    #expect(message { _ = try store.resolve(String(id.hex.prefix(3))) }.contains("is not an alias"))
    #expect(code { _ = try store.resolve("") } == .io)
  }

  @Test(
    "distances",
    arguments: [
      ("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("abc", "acb", 1), ("kitten", "sitting", 3), ("clock", "clock", 0),
      ("ca", "abc", 3),
    ]) func distance(a: String, b: String, expected: Int)
  {
    #expect(NearMiss.distance(Array(a.utf8), Array(b.utf8)) == expected)
    #expect(NearMiss.distance(Array(b.utf8), Array(a.utf8)) == expected)
  }

  @Test("an alias moves and goes; its patch stays") func alias() throws {
    let (a, b) = (try fixture.added(to: 1), try fixture.added(to: 2))
    #expect(try store.alias("x", a) == nil)
    #expect(try store.alias("x", a) == nil)
    #expect(try store.alias("x", b) == a)
    #expect(try store.aliases() == [Alias(name: "x", identity: b)])
    try store.removeAlias("x")
    #expect(message { try store.removeAlias("x") }.contains("x: is not an alias in the store"))
    #expect(try store.count() == 2)
    #expect(message { try store.alias("a b", a) } == "\"a b\" cannot be an alias; \(Name.rule)")
    #expect(code { try store.alias("y", .zero) } == .io)
  }

  @Test("tags come and go; one that is not there changes nothing") func tags() throws {
    let a = try fixture.added(to: 1)
    try store.tag(a, ["x", "y", "x"])
    #expect(try store.stored(a)?.tags == ["x", "y"])
    #expect(message { try store.untag(a, ["x", "z"]) }.contains("z: is not a tag of patch \(a.short)"))
    #expect(try store.stored(a)?.tags == ["x", "y"])
    try store.untag(a, ["x"])
    #expect(try store.tags().map(\.name) == ["y"])
    #expect(message { try store.tag(a, ["1"]) }.contains("\"1\" cannot be a tag"))
  }

  @Test("a base: by digits, by where it was seen, by the patch that makes it") func bases() throws {
    let first = try fixture.added(to: 1, name: "one")
    let row = try #require(try store.stored(first))
    #expect(try store.resolveBase(String(row.base.hex.prefix(6))) == row.base)
    #expect(try store.resolveBase(String(row.target.hex.prefix(6))) == row.target)
    #expect(try store.resolveBase("one") == row.target)
    try store.sawBase(root: row.base, path: "/models/base")
    try store.sawBase(root: row.base, path: "/models/again")
    #expect(try store.resolveBase("base", absolutePath: "/models/base") == row.base)
    #expect(try Set(store.sightings(row.base)) == ["/models/base", "/models/again"])
    #expect(code { _ = try store.resolveBase("two") } == .io)
  }
}
