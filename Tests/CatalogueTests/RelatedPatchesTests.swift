import Base
import Catalogue
import PatchFormat
import Testing

@Suite("Kin") struct RelatedPatchesTests {
  @Test("the chain to a patch, what stands on it, its siblings and its stacks") func patch() throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    let first = try fixture.added(from: 0, to: 1)
    let second = try fixture.added(from: 1, to: 2)
    let third = try fixture.added(from: 2, to: 3)
    let fourth = try fixture.added(from: 3, to: 4)
    let sibling = try fixture.added(from: 2, to: 9)
    _ = try fixture.added(from: 0, to: 7)
    let row = try #require(try store.stored(third))
    let stack = try StackDefinition(base: row.base, members: [.init(third), .init(sibling)])
    _ = try store.saveStack(name: "both", definition: stack)
    let related = try store.relatedPatches(ofPatch: third, base: row.base, target: row.target)
    #expect(related.chain.map(\.identity) == [first, second])
    #expect(related.root == (try store.stored(first)?.base) && related.base?.root == related.root)
    #expect(related.after.map(\.identity) == [fourth])
    #expect(related.siblings.map(\.identity) == [sibling])
    #expect(related.stacks.map(\.name) == ["both"])
    let ofStack = try store.relatedPatches(ofStack: stack)
    #expect(ofStack.chain.map(\.identity) == [first, second] && ofStack.stacks.isEmpty)
  }

  @Test("a circle ends, and a patch that is in no store has none") func circle() throws {
    let fixture = try StoreFixture()
    let there = try fixture.added(from: 0, to: 1)
    let back = try fixture.added(from: 1, to: 0)
    let row = try #require(try fixture.store.stored(there))
    let related = try fixture.store.relatedPatches(ofPatch: there, base: row.base, target: row.target)
    #expect(related.chain.isEmpty && related.root == row.base)
    #expect(related.after.map(\.identity) == [back])
    let stranger = try fixture.store.relatedPatches(
      ofPatch: SHA256Hasher.hash("x"), base: SHA256Hasher.hash("y"), target: SHA256Hasher.hash("z"))
    #expect(stranger.chain.isEmpty && stranger.base == nil && stranger.root == SHA256Hasher.hash("y"))
  }
}
