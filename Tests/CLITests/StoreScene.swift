import Base
import Catalogue
import Foundation
import ModelFiles
import Synchronization
import TestModels

/// A small model and a store with patches of it, and a command that changes one of them, or both.
final class StoreScene: Sendable {
  enum Kind: String, CaseIterable, Sendable {
    /// Whose composite is not made yet.
    case switchToStack = "switch to a stack"
    /// From the middle of a stack.
    case revertMember = "revert MODEL member"
    case add = "add of two files"
    case collect = "gc --yes"
    /// Into a store that does not exist yet.
    case create
    case alias
  }

  /// What a store holds, by what a person goes by.
  struct Contents: Sendable {
    var patches: Set<ContentDigest> = []
    var aliases: [String: ContentDigest] = [:]
    var stacks: [String: ContentDigest] = [:]

    /// Nothing where there is no store.
    init(_ store: Store?) throws {
      guard let store else { return }
      patches = Set(try store.patches().map(\.identity))
      for alias in try store.aliases() { aliases[alias.name] = alias.identity }
      for stack in try store.stacks() { stacks[stack.name] = stack.definition.identity }
    }
  }

  let kind: Kind
  /// How many calls the command makes that change files.
  let calls: Int
  private let sources: TestFolder
  /// Everything in the folder before the command.
  private let laid: [String: [UInt8]]
  /// The files outside of the store before the command, and after it.
  private let before, after: [String: [UInt8]]
  /// What the store held before, and what it holds when the command is done.
  private let known, promised: Contents
  /// States that were looked at.
  private let seen = Mutex<Set<ContentDigest>>([])

  init(_ kind: Kind) throws {
    self.kind = kind
    sources = try TestFolder()
    let model: [TestTensor] = ["a", "b", "c"].map { .weights("\($0).weight", [4, 8]) }
    try sources.file("base", model)
    for (name, part) in [("a", "a."), ("b", ".weight"), ("c", "c.")] {
      try sources.file("tuned-\(name)", model.tuned(part))
      try Self.run(
        "create", sources["base"], sources["tuned-\(name)"], "-o", sources[name], "--no-store", "--name", name)
    }
    let folder = try TestFolder()
    try Self.prepare(kind, folder, sources)
    laid = try folder.tree(".")
    before = Self.files(laid)
    func contents() throws -> Contents {
      try Contents(folder.exists("store") ? Store(path: folder["store"], create: false) : nil)
    }
    known = try contents()
    calls = try FaultRun.log(in: folder, Self.arguments(kind, folder, sources)).count
    after = Self.files(try folder.tree("."))
    promised = try contents()
  }

  private static func run(_ arguments: String...) throws {
    let run = try Command(Command.path, arguments)
    precondition(run.code == 0, run.errors)
  }

  /// What is there when the command begins.
  private static func prepare(_ kind: Kind, _ folder: TestFolder, _ sources: TestFolder) throws {
    let (model, store) = (folder["model"], folder["store"])
    switch kind {
    case .switchToStack, .revertMember:
      try folder.write("model", sources.bytes("base"))
      try run("add", sources["a"], sources["b"], sources["c"], "--store", store)
      try run("stack", "new", "triage", "--base", sources["base"], "a@0.5", "b", "c", "--store", store)
      if kind == .revertMember { try run("switch", model, "triage", "--store", store) }
    case .add: try run("add", sources["a"], "--store", store)
    case .alias: try run("add", sources["a"], sources["b"], "--store", store)
    case .create: break
    case .collect:
      // A composite that nothing needs, and what a killed process left.
      try run("add", sources["a"], sources["b"], "--store", store)
      _ = try Store(path: store).add(file: sources["c"], kind: .composite)
      try folder.write("store/\(TemporaryFiles.name(for: "making"))/made.vpatch", "half")
    }
  }

  private static func arguments(_ kind: Kind, _ folder: TestFolder, _ sources: TestFolder) -> [String] {
    let command =
      switch kind {
      case .switchToStack: ["switch", folder["model"], "triage"]
      case .revertMember: ["revert", folder["model"], "b"]
      case .add: ["add", sources["b"], sources["c"]]
      case .alias: ["alias", "a", "b"]
      case .create:
        ["create", sources["base"], sources["tuned-a"], "-o", folder["p.vpatch"], "--force", "--name", "mine"]
      case .collect: ["gc", "--yes"]
      }
    return command + ["--store", folder["store"]]
  }

  /// Without the store, and what has no name yet.
  private static func files(_ tree: [String: [UInt8]]) -> [String: [UInt8]] {
    tree.filter { !$0.key.hasPrefix("store/") && !$0.key.hasPrefix(".p.vpatch.vpatch-") }
  }

  /// Lays it all out in an empty folder, and gives the arguments of the command.
  func lay(out folder: TestFolder) throws -> [String] {
    for (name, bytes) in laid { try folder.write(name, bytes) }
    return Self.arguments(kind, folder, sources)
  }

  // MARK: What must be true after a fault

  /// What is not as it must be; nil where all is.
  func complaint(_ folder: TestFolder, _ fault: Fault, _ run: Command) throws -> String? {
    let lines = run.errors.split(separator: "\n").filter { !$0.hasPrefix("note: ") }
    guard fault.mode.isKill || run.code == 0 || lines.count == 1 else { return run.errors }
    if let complaint = try complaintOfFiles(folder, fault, run) { return complaint }
    // What is left is the same after many faults: what comes of it, then, too.
    guard try isNew(folder, "left", isDone: run.code == 0) else { return nil }
    if let complaint = try complaintOfStore(folder, isDone: run.code == 0) { return complaint }
    guard try isNew(folder, "mended") else { return nil }
    // A model that is switched by now needs no more.
    let isSwitched = try before["model"] != nil && Self.files(folder.tree(".")) == after
    if !isSwitched {
      let again = try Command(Command.path, Self.arguments(kind, folder, sources))
      guard again.code == 0 else { return "again: \(again.errors)" }
      guard try Self.files(folder.tree(".")) == after else { return "again: other files" }
    }
    return try complaintOfStore(folder, isDone: !isSwitched).map { "again: \($0)" }
  }

  /// Whether these files have not been looked at before, wherever the folder lay then.
  private func isNew(_ folder: TestFolder, _ when: String, isDone: Bool = false) throws -> Bool {
    let hasher = SHA256Hasher()
    hasher.update("\(when) \(isDone)\n")
    for (name, bytes) in try folder.tree(".").sorted(by: { $0.key < $1.key }) where !name.hasSuffix("-shm") {
      hasher.update(name + "\0")
      Self.update(hasher, Data(bytes), without: Data(folder.path.utf8))
    }
    let state = hasher.finalize()
    return seen.withLock { $0.insert(state).inserted }
  }

  private static func update(_ hasher: SHA256Hasher, _ bytes: Data, without path: Data) {
    var rest = bytes[...]
    while let found = rest.range(of: path) {
      hasher.update(Array(rest[..<found.lowerBound]))
      rest = rest[found.upperBound...]
    }
    hasher.update(Array(rest))
  }

  /// The model is the old one or the new one, and what was said of it is true.
  private func complaintOfFiles(_ folder: TestFolder, _ fault: Fault, _ run: Command) throws -> String? {
    let isDecided = run.errors.contains("run 'vpatch recover")
    if before["model"] != nil { _ = try Recovery.recover(folder["model"], WorkOptions(threads: 1)) }
    let files = Self.files(try folder.tree("."))
    guard files == before || files == after else { return "neither old nor new: \(files.keys.sorted())" }
    if run.code == 0 || isDecided, files != after { return "it claims to be done: \(run.errors)" }
    // A patch that is written stays where the store alone failed.
    if kind != .create, !fault.mode.isKill, fault.mode != .eioOn, run.code != 0, !isDecided, files != before {
      return "it claims that nothing was done: \(run.errors)"
    }
    return nil
  }

  /// Nothing that was there is lost, what was confirmed is there, and what is wrong can be mended without loss.
  private func complaintOfStore(_ folder: TestFolder, isDone: Bool) throws -> String? {
    guard folder.exists("store/catalogue.sqlite") else {
      return !isDone && known.patches.isEmpty ? nil : "no catalogue"
    }
    let store = try Store(path: folder["store"], create: false)
    let found = try store.check(repair: true).findings
    if let bad = found.first(where: { !$0.isRepaired || ![.unknown, .temporary].contains($0.kind) }) {
      return "fsck: \(bad)"
    }
    if !found.isEmpty {
      let left = try store.check().findings
      guard left.isEmpty else { return "fsck --repair: \(left)" }
    }
    let names = try folder.names(in: "store").filter { !$0.hasPrefix("catalogue.sqlite") }
    guard Set(names).isSubset(of: ["leases", "lock", "patches", "reserve"]) else {
      return "left in the store: \(names)"
    }
    let now = try Contents(store)
    guard known.patches.isSubset(of: now.patches) else { return "a patch is lost" }
    guard now.stacks == known.stacks else { return "a stack is lost" }
    for (name, identity) in known.aliases where now.aliases[name] != identity {
      guard now.aliases[name] == promised.aliases[name] else { return "the alias \(name) is lost" }
    }
    guard isDone else { return nil }
    let isThere = promised.patches.isSubset(of: now.patches) && promised.aliases.allSatisfy { now.aliases[$0] == $1 }
    guard isThere else { return "it is not what was confirmed" }
    return nil
  }
}
