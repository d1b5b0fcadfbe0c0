import Apply
import Base
import Catalogue
import Foundation
import ModelFiles
import TestModels

/// A command that writes files, changes a store, or both, and what must be true of them after a power cut.
final class PowerCutScene {
  /// What is run where. Of the words "./x" is a path in the folder that the power fails for, "../x" one of the sources.
  struct Plan: Sendable, CustomStringConvertible {
    let name: String
    /// Copies of sources that are laid out first: "name=source".
    var files: [String] = []
    var setup: [String] = []
    let command: String
    /// Whether the store lies in the folder; else the command has one that is not there.
    var hasStore = true
    /// The model that the command changes in place.
    var model: String?
    var description: String { name }
  }

  private static let added = "add ../a ../b"
  private static let stack = "stack new triage --base ../base a@0.5 b"
  private static let measured = "eval ../eval/base --suite ../eval/suite.toml --threads 1 --record --patch"
  private static let results = "--results ../results/tuned.json --base-results ../results/base.json --target counting"

  static let ofStore: [Plan] = [
    Plan(name: "add of two files", setup: ["add ../a"], command: "add ../b ../c"),
    Plan(name: "create into a new store", command: "create ../base ../tuned-a -o ./p.vpatch --force --name mine"),
    Plan(
      name: "create --force into a store", files: ["p.vpatch=b"], setup: ["add ../b"],
      command: "create ../base ../tuned-a -o ./p.vpatch --force --name mine"),
    Plan(name: "alias, which moves", setup: [added], command: "alias a b"),
    Plan(name: "tag", setup: [added], command: "tag a good"),
    Plan(name: "stack new", setup: [added], command: stack),
    Plan(name: "stack add", setup: ["add ../a ../b ../c", stack], command: "stack add triage c@0.25"),
    Plan(name: "rm", setup: [added, "tag b good"], command: "rm b --force"),
    // A composite that nothing needs any more.
    Plan(
      name: "gc --yes", files: ["model=base"],
      setup: [added, stack, "switch ./model triage", "revert ./model", "stack delete triage"],
      command: "gc --yes --forget ./model"),
    Plan(name: "annotate in the store", setup: [added], command: "annotate a \(results)"),
    Plan(name: "sign in the store", setup: [added], command: "sign a --key ../key.pem"),
    Plan(name: "eval --record in the store", setup: ["add ../eval/sa.vpatch"], command: "\(measured) sa"),
    Plan(
      name: "switch to a stack", files: ["model=base"], setup: [added, stack], command: "switch ./model triage",
      model: "model"),
    Plan(
      name: "revert of a member", files: ["model=base"], setup: [added, stack, "switch ./model triage"],
      command: "revert ./model a", model: "model"),
  ]

  static let ofFiles: [Plan] = [
    Plan(name: "create -o", command: "create ../base ../tuned-a -o ./p.vpatch --no-store"),
    Plan(
      name: "create -o --force", files: ["p.vpatch=b"],
      command: "create ../base ../tuned-a -o ./p.vpatch --no-store --force"),
    Plan(name: "annotate", files: ["p.vpatch=a"], command: "annotate ./p.vpatch \(results)"),
    Plan(name: "sign", files: ["p.vpatch=a"], command: "sign ./p.vpatch --key ../key.pem"),
    Plan(name: "eval --record", files: ["p.vpatch=eval/sa.vpatch"], command: "\(measured) ./p.vpatch"),
    Plan(name: "apply -o FILE", command: "apply ../base ../a -o ./out"),
    Plan(
      name: "apply -o FILE --force", setup: ["apply ../base ../b -o ./out"],
      command: "apply ../base ../a -o ./out --force"),
    Plan(name: "apply -o FOLDER", command: "apply ../folder ../f -o ./out"),
    Plan(name: "revert -o FILE", command: "revert ../tuned-a ../a -o ./out"),
    Plan(name: "revert -o FOLDER", command: "revert ../tuned-folder ../f -o ./out"),
  ].map { (plan: Plan) in
    var plan = plan
    plan.hasStore = false
    return plan
  }

  /// Of several kinds; they can be run again however far they came.
  static let repeatable = (ofStore + ofFiles).filter { plan in
    ["add of two files", "create into a new store", "annotate", "apply -o FILE"]
      .contains(plan.name)
  }

  // MARK: Sources

  private static let sources = Result { try makeSources() }

  private static func makeSources() throws -> TestFolder {
    let sources = try TestFolder()
    let model: [TestTensor] = ["a", "b", "c"].map { .weights("\($0).weight", [4, 8]) }
    try sources.file("base", model)
    for (name, part) in [("a", "a."), ("b", ".weight"), ("c", "c.")] {
      try sources.file("tuned-\(name)", model.tuned(part))
      try run(["create", sources["base"], sources["tuned-\(name)"], "-o", sources[name], "--no-store", "--name", name])
    }
    // Shards, files beside them of which one comes, one goes and one changes, and folders in one another.
    let text = ["tokenizer.json": "{}\n", "more/deep/er.txt": "x\n", "more/config.json": "{}\n"]
    let old = ["config.json": "{\"a\": 1}\n", "gone.txt": "g"]
    let new = ["config.json": "{\"a\": 2}\n", "new.txt": "n"]
    try sources.directory("folder", model, shards: 2, files: text.merging(old) { $1 })
    try sources.directory("tuned-folder", model.tuned("b."), shards: 2, files: text.merging(new) { $1 })
    try run(["create", sources["folder"], sources["tuned-folder"], "-o", sources["f"], "--no-store", "--name", "f"])
    let fixtures = MeasureCommandTests.fixtures
    for (name, path) in [
      ("key.pem", "signing/key.pem"),
      ("results/base.json", "results/lm-eval/base/results_2026-11-22T10-00-00.123456.json"),
      ("results/tuned.json", "results/lm-eval/tuned/results_2026-11-22T11-00-00.123456.json"),
    ] {
      try sources.write(name, sources.bytes("\(fixtures)/\(path)"))
    }
    for (name, bytes) in try EvalScene().folder.tree(".") { try sources.write("eval/\(name)", bytes) }
    return sources
  }

  private static func run(_ arguments: [String]) throws {
    let run = try Command(Command.path, arguments, ["SOURCE_DATE_EPOCH": "1"])
    precondition(run.code == 0, run.errors)
  }

  // MARK: The scene

  let plan: Plan
  let folder: TestFolder
  let cut: PowerCut
  private let sources: TestFolder
  /// What was there when the command began, and when it was done.
  private let before, after: State

  private struct State: Equatable {
    /// Without the store.
    var files: [String: [UInt8]]
    var contents: StoreContents
  }

  /// - Parameter killed: the call after which the command is killed, to be run again; nil for no such thing.
  init(_ plan: Plan, killedAfter killed: Int? = nil) throws {
    self.plan = plan
    sources = try Self.sources.get()
    folder = try TestFolder()
    for file in plan.files {
      let names = file.split(separator: "=").map(String.init)
      try folder.write(names[0], sources.bytes(names[1]))
    }
    for command in plan.setup { try Self.run(Self.arguments(command, plan, folder, sources)) }
    before = try Self.state(folder)
    var arguments = Self.arguments(plan.command, plan, folder, sources)
    // The links are the playback's own, which keeps the files alive.
    if plan.model != nil { arguments.append("--allow-links") }
    cut = try PowerCut(folder, arguments, killedAfter: killed)
    after = try Self.state(folder)
    precondition(before != after, "the command did nothing")
  }

  private static func arguments(
    _ command: String, _ plan: Plan, _ folder: TestFolder, _ sources: TestFolder
  ) -> [String] {
    let words = command.split(separator: " ").map { word in
      word.hasPrefix("../")
        ? sources[String(word.dropFirst(3))] : word.hasPrefix("./") ? folder[String(word.dropFirst(2))] : String(word)
    }
    return plan.hasStore ? words + ["--store", folder["store"]] : words
  }

  private static func state(_ folder: TestFolder) throws -> State {
    let files = try folder.wholeTree().filter { path, _ in
      !path.hasPrefix("store/") && !TemporaryFiles.isTemporary(String(path.prefix { $0 != "/" }))
    }
    let store = folder.exists("store/catalogue.sqlite") ? try Store(path: folder["store"], create: false) : nil
    return State(files: files, contents: try StoreContents(store))
  }

  // MARK: What must be true

  /// What is not as it must be after a cut; nil where all is.
  /// - Parameters:
  ///   - isDone: whether the command had said that it is.
  ///   - isThorough: whether the command is run again where it did nothing, and what it did in place is taken back.
  func complaint(isDone: Bool, isThorough: Bool) throws -> String? {
    for name in try folder.names() where name.hasSuffix(".vpatch-journal") {
      _ = try Recovery.recover(folder[String(name.dropLast(".vpatch-journal".count))], WorkOptions(threads: 1))
    }
    if let complaint = try repair() { return complaint }
    let now = try Self.state(folder)
    guard now.files == before.files || now.files == after.files else {
      return "neither old nor new: \(now.files.map { "\($0.key) (\($0.value.count))" }.sorted())"
    }
    if let complaint = now.contents.complaint(between: before.contents, and: after.contents) { return complaint }
    if isDone, now != after { return "it is not what was confirmed: \(now.contents)" }
    return isThorough ? try complaintOfMore(now) : nil
  }

  /// fsck --repair finds only what loses nothing, and nothing the second time.
  private func repair() throws -> String? {
    guard folder.exists("store/catalogue.sqlite") else { return nil }
    let store = try Store(path: folder["store"], create: false)
    let found = try store.check(repair: true, threads: 1).findings
    if let bad = found.first(where: { !$0.isRepaired || ![.unknown, .temporary, .stale].contains($0.kind) }) {
      return "fsck: \(bad)"
    }
    guard !found.isEmpty else { return nil }
    let left = try store.check(threads: 1).findings
    return left.isEmpty ? nil : "fsck --repair: \(left)"
  }

  private func complaintOfMore(_ now: State) throws -> String? {
    func run(_ command: String) throws -> Command {
      let more = plan.model == nil ? [] : ["--allow-links"]
      return try Command(
        Command.path, Self.arguments(command, plan, folder, sources) + more, ["SOURCE_DATE_EPOCH": "1"])
    }
    if now == before {
      let again = try run(plan.command)
      guard again.code == 0 else { return "again: \(again.errors)" }
      return try Self.state(folder) == after ? nil : "again: other files, or another store"
    }
    if let model = plan.model, now.files == after.files {
      let back = try run("revert ./\(model)")
      guard back.code == 0 else { return "revert: \(back.errors)" }
      return try folder.bytes(model) == sources.bytes("base") ? nil : "revert: another model"
    }
    return nil
  }
}

/// What a store holds, by what a person goes by.
struct StoreContents: Equatable {
  /// Patches by their identities, with their annotations; also those that vpatch made for itself.
  var patches: [String: String] = [:]
  var aliases: [String: String] = [:]
  /// With a patch's identity behind each.
  var tags: [String: String] = [:]
  /// By name and version.
  var stacks: [String: String] = [:]

  /// Nothing where there is no store.
  init(_ store: Store?) throws {
    guard let store else { return }
    var filter = PatchFilter()
    filter.includesDerived = true
    for patch in try store.patches(filter) {
      patches[patch.identity.hex] = try store.patch(patch.identity, threads: 1).annotations.compact()
      for tag in patch.tags { tags["\(tag) \(patch.identity.hex)"] = "" }
    }
    for alias in try store.aliases() { aliases[alias.name] = alias.identity.hex }
    for stack in try store.stacks() {
      for version in try store.versions(ofStack: stack.name) {
        stacks["\(stack.name) \(version.version)"] = version.definition.identity.hex
      }
    }
  }

  /// Each thing is as it was before a command or as it is after it; what is in both is there.
  func complaint(between before: StoreContents, and after: StoreContents) -> String? {
    for (kind, path) in [
      ("patch", \Self.patches), ("alias", \.aliases), ("tag", \.tags), ("stack", \.stacks),
    ] as [(String, KeyPath<Self, [String: String]>)] {
      let (old, new, now) = (before[keyPath: path], after[keyPath: path], self[keyPath: path])
      for name in Set(old.keys).union(new.keys).union(now.keys).sorted()
      where now[name] != old[name] && now[name] != new[name] {
        return "the \(kind) \(name) is \(now[name] ?? "gone")"
      }
    }
    return nil
  }
}
