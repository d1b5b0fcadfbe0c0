import Base
import Foundation
import PatchFormat
import Synchronization
import TestModels
import Testing

@testable import Catalogue

/// Two stores on one folder, as two processes have them. While one does something, the other comes between at each of
/// its steps; if it has to wait there, it goes on when the first has ended.
@Suite("Races in a store") struct RaceTests {
  /// What another process does to a composite that nothing needs.
  enum Other: String, CaseIterable, Sendable {
    case alias, tag, stack, application, lease, collect, remove, add, annotate, switching
  }

  final class Scene: Sendable {
    let fixture: StoreFixture
    let other: Store
    /// A composite that nothing needs, and somebody's patch of the same base.
    let made, patch: ContentDigest
    let stack: StackDefinition

    init() throws {
      fixture = try StoreFixture()
      made = try fixture.added(to: 9, kind: .composite)
      patch = try fixture.added(to: 1, name: "one")
      other = try fixture.reopened()
      stack = try StackDefinition(base: fixture.store.stored(patch)!.base, members: [.init(made), .init(patch)])
      try fixture.store.setComposite(stackIdentity: .zero, patch: made)
    }

    /// - Returns: whether it was done; false where it was refused, with a reason that is true.
    func run(_ what: Other, in store: Store) throws -> Bool {
      do {
        switch what {
        case .alias: try store.alias("kept", made)
        case .tag: try store.tag(made, ["kept"])
        case .stack: _ = try store.createStack(name: "kept-stack", definition: stack)
        case .application:
          _ = try store.beginApplication(model: "/m", kind: "x", before: .null, after: .null, patches: [made])
        case .lease: try store.lease(made)
        case .collect: _ = try store.collect()
        case .remove: try store.remove([made])
        case .add: try store.add(file: fixture.folder["0-9.vpatch"], alias: "kept")
        case .annotate: try store.editAnnotations(made) { $0.annotations.setting("note", to: .string("kept")) }
        case .switching:
          // As a switch does: the composite if it is there, else it is made; then it is entered.
          let found = try store.leaseComposite(stackIdentity: .zero)
          let identity =
            try found
            ?? store.keep(.composite, stack: .zero, threads: 1) { path in
              try FileManager.default.copyItem(atPath: fixture.folder["0-9.vpatch"], toPath: path)
            }.identity
          _ = try store.beginApplication(model: "/m", kind: "x", before: .null, after: .null, patches: [identity])
        }
        return true
      } catch let error as VPatchError {
        let isTrue =
          error.code == .io && error.reason.contains("is not in the store")
          || error.code == .refused
            && ["is in use by", "has the", "is in the stack", "is needed to"].contains(where: error.reason.contains)
        guard isTrue else { throw error }
        return false
      }
    }

    /// What was confirmed is there, and the store is sound.
    func check(_ done: [(Other, Bool)]) throws {
      let store = try fixture.reopened()
      #expect(try store.check().findings == [])
      #expect(try store.path(of: patch) != nil)
      let keeping = done.contains { $0.1 && [.alias, .tag, .stack, .application, .switching].contains($0.0) }
      let removes = done.contains { $0.1 && $0.0 == .remove }
      let isThere = try store.path(of: made) != nil
      if keeping || done.contains(where: { $0.1 && $0.0 == .add }), !removes {
        #expect(isThere)
        _ = try store.patch(made)
      }
      for (what, isDone) in done where isDone && !removes {
        switch what {
        case .alias, .add: #expect(try store.resolve("kept") == made)
        case .tag: #expect(try store.stored(made)?.tags == ["kept"])
        case .stack: #expect(try store.stack("kept-stack").definition == stack)
        case .application, .switching: #expect(try store.applications().allSatisfy { $0.patches == [made] })
        default: break
        }
      }
    }
  }

  /// Does one thing, and at one of its steps the other.
  private func meet(_ first: Other, _ step: Store.Step, _ second: Other) throws {
    let scene = try Scene()
    let result = Mutex<Result<Bool, any Error>?>(nil)
    let begun = Mutex(false)
    let ended = DispatchSemaphore(value: 0)
    scene.fixture.store.observer.withLock {
      $0 = { now in
        guard now == step,
          begun.withLock({
            let was = $0
            $0 = true
            return !was
          })
        else { return }
        Thread.detachNewThread {
          let outcome = Result { try scene.run(second, in: scene.other) }
          result.withLock { $0 = outcome }
          ended.signal()
        }
        // It comes to its end here, or has to wait for the first.
        _ = ended.wait(timeout: .now() + 0.15)
      }
    }
    let isDone = try scene.run(first, in: scene.fixture.store)
    guard begun.withLock({ $0 }) else { return }
    let limit = Date.now + 30
    while result.withLock({ $0 == nil }), Date.now < limit { usleep(1000) }
    let outcome = try #require(result.withLock { $0 }, "\(second.rawValue) does not end")
    try scene.check([(first, isDone), (second, outcome.get())])
  }

  @Test(
    "gc, and something else at each of its steps", arguments: [Store.Step.listed, .forgotten], Other.allCases)
  func collecting(step: Store.Step, other: Other) throws { try meet(.collect, step, other) }

  @Test("rm, and something else before its files are gone", arguments: Other.allCases)
  func removing(other: Other) throws { try meet(.remove, .forgotten, other) }

  @Test("add, and something else before its row is there", arguments: Other.allCases)
  func adding(other: Other) throws { try meet(.add, .placed, other) }

  @Test(
    "switch to a stack, and gc, rm or another switch at each of its steps",
    arguments: [Store.Step.leased, .made, .placed], [Other.collect, .remove, .switching])
  func switching(step: Store.Step, other: Other) throws {
    try meet(.switching, step, other)
  }

  @Test(
    "a switch that makes its composite, and gc, rm or another switch at each of its steps",
    arguments: [Store.Step.made, .placed], [Other.collect, .remove, .switching])
  func making(step: Store.Step, other: Other) throws {
    let scene = try Scene()
    try scene.fixture.store.remove([scene.made])
    let done = Mutex<[(Other, Bool)]>([])
    let threads = Mutex(0)
    scene.fixture.store.observer.withLock {
      $0 = { now in
        guard now == step else { return }
        threads.withLock { $0 += 1 }
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
          let outcome = Result { try scene.run(other, in: scene.other) }
          done.withLock { $0.append((other, (try? outcome.get()) ?? false)) }
          if case .failure(let error) = outcome { Issue.record(error) }
          threads.withLock { $0 -= 1 }
          ended.signal()
        }
        _ = ended.wait(timeout: .now() + 0.15)
      }
    }
    #expect(try scene.run(.switching, in: scene.fixture.store))
    let limit = Date.now + 30
    while threads.withLock({ $0 > 0 }), Date.now < limit { usleep(1000) }
    // Whoever came to remove it came too early, or too late.
    try scene.check([(.switching, true)])
    #expect(!done.withLock { $0.contains { $0.0 == .remove && $0.1 } })
  }

  @Test("members that two add to a stack at once are both in it") func stackMembers() throws {
    let scene = try Scene()
    let (store, other) = (scene.fixture.store, scene.other)
    let ids = try (20..<24).map { try scene.fixture.added(to: $0) }
    let base = scene.stack.base
    _ = try store.createStack(name: "s", definition: StackDefinition(base: base, members: [.init(scene.patch)]))
    @Sendable func adding(_ id: ContentDigest) -> (StackDefinition) throws -> StackDefinition {
      { try StackDefinition(base: $0.base, method: $0.method, members: $0.members + [.init(id)]) }
    }
    // Between the reading and the saving, twice in a row.
    let left = Mutex([ids[1], ids[2]])
    store.observer.withLock {
      $0 = { step in
        guard step == .stackRead, let id = left.withLock({ $0.popLast() }) else { return }
        do { _ = try other.editStack("s", adding(id)) } catch { Issue.record(error) }
      }
    }
    let saved = try store.editStack("s", adding(ids[0]))
    #expect(Set(saved.definition.members.map(\.identity)) == Set([scene.patch] + ids[0..<3]))
    #expect(saved.version == 4)
    // Deleted meanwhile: it does not come back with one version.
    store.observer.withLock { $0 = { if $0 == .stackRead { try? other.removeStack("s") } } }
    #expect(code { _ = try store.editStack("s", adding(ids[3])) } == .io)
    #expect(try store.stacks() == [])
  }

  @Test("of several who define a stack of one name, one does") func stackNames() throws {
    let scene = try Scene()
    let results = try Parallel.map(8, threads: 8) { i in
      let store = try scene.fixture.reopened()
      return code { _ = try store.createStack(name: "s", definition: scene.stack) }
    }
    #expect(results.count { $0 == nil } == 1 && results.count { $0 == .refused } == 7)
    #expect(try scene.other.versions(ofStack: "s").count == 1)
  }

  @Test("annotations of several at once are all there, in the store and outside") func annotations() throws {
    let scene = try Scene()
    let path = scene.fixture.folder["0-1.vpatch"]
    try Parallel.forEach(8, threads: 8) { i in
      let store = try scene.fixture.reopened()
      for j in 0..<5 {
        try store.editAnnotations(scene.patch) { $0.annotations.setting("n\(i)-\(j)", to: .bool(true)) }
        try Patch.editAnnotations(at: path) { $0.annotations.setting("n\(i)-\(j)", to: .bool(true)) }
      }
    }
    for patch in try [Patch(path: path), scene.fixture.store.patch(scene.patch)] {
      #expect(patch.annotations.object?.count { $0.key.hasPrefix("n") && $0.key.contains("-") } == 40)
    }
    #expect(try scene.fixture.store.check().findings == [])
    #expect(try scene.fixture.folder.names().allSatisfy { !$0.contains(".vpatch-") })
  }

  @Test("a patch that is removed while it is opened is not said to have lost its file") func opening() throws {
    let scene = try Scene()
    scene.fixture.store.observer.withLock {
      $0 = { step in
        guard step == .forgotten else { return }
        #expect(message { _ = try scene.other.patch(scene.patch) }.contains("is not in the store"))
      }
    }
    try scene.fixture.store.remove([scene.patch], named: ["one"])
    #expect(message { _ = try scene.other.patch(scene.patch) }.contains("is not in the store"))
  }
}
