import Apply
import ArgumentParser
import Base
import Catalogue
import ModelFiles
import PatchFormat
import Report

struct StackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stack",
    abstract: "Combine patches of one base: define, change, show and compare stacks.",
    discussion: """
      A stack is a base, a set of its patches with scales, and a merge method. The order in which members are given \
      does not change the result, and removing a member gives the stack as it was without it. Each change creates a \
      new version; earlier versions are kept.

      EXAMPLES
        vpatch stack new triage --base base/ counting@0.8 clock
        vpatch stack add triage receipts
        vpatch stack remove triage counting
        vpatch apply base/ --stack triage -o model/
        vpatch stack export triage -o triage.stack        a text file, for version control
      """,
    subcommands: [
      New.self, Add.self, Remove.self, Show.self, Diff.self, List.self, Export.self, Import.self, Delete.self,
    ])

  struct New: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Define a stack.")

    @Argument(help: "Name of the stack.")
    var name: String
    @Option(help: ArgumentHelp("The base checkpoint of all members, or its root.", valueName: "model"))
    var base: String
    @Argument(help: "Patches as NAME_OR_FILE[@SCALE].")
    var members: [String]
    @OptionGroup var merge: MergeOptions
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let store = try self.store.open(create: true)
      // Checked before the work, and again when the stack is saved.
      if try store.stackIfAny(name) != nil { throw Store.stackExists(name) }
      let members = try self.members.map { try MemberReference($0) }
      let root = try StackBase.root(base, common)
      let input = try StackInput(
        members: members, method: merge.mergeMethod(), base: root, name: name, self.store, common.work.threads)
      try StackEdit.check(input.definition, opened: input.patches, store, common)
      let stack = try store.createStack(name: name, definition: input.definition)
      try StackShow(stack, store, common).print(isReport: true)
      if try PathKind.of(base) != .missing { try store.sawBase(root: input.definition.base, path: Path.absolute(base)) }
    }
  }

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add members, or change their scales; --method changes the merge method.")

    @Argument(help: "The stack.")
    var name: String
    @Argument(help: "Patches as NAME_OR_FILE[@SCALE].")
    var members: [String] = []
    @OptionGroup var merge: MergeOptions
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let store = try self.store.open(create: true)
      let base = try store.stack(name).definition.base
      var opened: [(patch: Patch, scale: Double)] = []
      for member in try members.map({ try MemberReference($0) }) {
        opened.append((try Inputs.patch(member.name, common.work.threads, self.store), member.scale))
      }
      // All must have one base; the error is that of a new stack.
      if !opened.isEmpty { _ = try StackDefinition(opened, method: .sum, base: base) }
      let given = Set(opened.map(\.patch.identity))
      let stack = try store.editStack(name) { old in
        let new = try StackDefinition(
          base: old.base, method: merge.changing(old.method),
          members: old.members.filter { !given.contains($0.identity) }
            + opened.map { .init($0.patch.identity, scale: $0.scale) })
        try StackEdit.check(new, opened: opened.map(\.patch), store, common)
        return new
      }
      try StackShow(stack, store, common).print(isReport: true)
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove members.")

    @Argument(help: "The stack.")
    var name: String
    @Argument(help: "The members to remove.")
    var members: [String]
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let store = try self.store.open(create: true)
      let stack = try store.editStack(name) { old in
        var definition = old
        for member in members {
          let identity = try store.identity(member)
          guard definition.members.contains(where: { $0.identity == identity }) else {
            throw VPatchError(
              .refused, "the stack \"\(name.printable)\"", "has no member \(member.printable)",
              remedy: "see 'vpatch stack show \(name)'")
          }
          definition = try definition.removing(identity)
        }
        return definition
      }
      try StackShow(stack, store, common).print(isReport: true)
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show a stack: members, overlap, learning and forgetting.")

    @Argument(help: "The stack.")
    var name: String
    @Option(help: ArgumentHelp("Version to show. (default: the latest)", valueName: "n"))
    var version: Int?
    @Option(help: ArgumentHelp("The base, to compare the members' changes weight by weight.", valueName: "model"))
    var base: String?
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let store = try self.store.open()
      try StackShow(
        try store.stack(name, version: version), store, common, base: base.map { try Inputs.checkpoint($0, common) }
      ).print()
    }
  }

  struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the differences between two stacks.")

    @Argument(help: "A stack, or a stack file.")
    var a: String
    @Argument(help: "Another stack, or a stack file.")
    var b: String
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let inputs = try [a, b].map { try StackInput($0, self.store, common.work.threads) }
      let store = try self.store.existing()
      let changes = StackDiff(inputs[0].definition, inputs[1].definition).changes
      let lines = try changes.map { try $0.text { try store?.label($0) ?? $0.short } }
      let json = JSON.dictionary([
        "a": .string(inputs[0].definition.identity.hex), "b": .string(inputs[1].definition.identity.hex),
        "same": .bool(changes.isEmpty), "changes": .array(lines.map { .string($0) }),
      ])
      common.print(json, text: lines.isEmpty ? "identical" : lines.joined(separator: "\n"))
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the stacks of the store.")

    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let store = try self.store.open()
      let stacks = try store.stacks()
      var table = TextTable([
        .init("stack"), .init("version", .right), .init("base"), .init("method"), .init("members"),
      ])
      for stack in stacks {
        let members = try stack.definition.members.map { member in
          MemberReference(name: try store.label(member.identity) ?? member.identity.short, scale: member.scale).text
        }
        table.add([
          stack.name, String(stack.version), stack.definition.base.short, stack.definition.method.text,
          members.joined(separator: " "),
        ])
      }
      let json = JSON.array(
        stacks.map { stack in
          .object(
            [JSON.Member("name", .string(stack.name)), JSON.Member("version", JSON(stack.version))]
              + stack.definition.json().object!)
        })
      common.print(
        json,
        text: stacks.isEmpty ? "no stacks: vpatch stack new NAME --base MODEL PATCH…" : String(table.text().dropLast()))
    }
  }

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Write a stack to a stack file.")

    @Argument(help: "The stack.")
    var name: String
    @Option(
      name: .shortAndLong, help: ArgumentHelp("Output file. (default: standard output)", valueName: "file"))
    var output: String?
    @Flag(help: "Replace an existing file.")
    var force = false
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let store = try self.store.open()
      let stored = try store.stack(name)
      let text = try StackFile(name: stored.name, stored.definition).text { member in
        try ContentDigest(hex: member.name).flatMap { try store.label($0) }
      }
      guard let output else { return Terminal.print(text.printableText) }
      try OutputCheck.file(output, inputs: [], force: force)
      let file = try OutputFile(path: output, replacing: force)
      try file.write(text, at: 0)
      try file.commit()
      common.report(.dictionary(["output": .string(output)]), text: "wrote \(output.printable)")
    }
  }

  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Read a stack from a stack file.")

    @Argument(help: "The stack file.")
    var file: String
    @Option(help: "Name of the stack. (default: the name in the file)")
    var name: String?
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let store = try self.store.open(create: true)
      let input = try StackInput(file: file, self.store, common.work.threads)
      guard let name = name ?? input.name else {
        throw VPatchError(.refused, file, "does not name the stack", remedy: "give --name")
      }
      try StackEdit.check(input.definition, opened: input.patches, store, common)
      _ = try store.saveStack(name: name, definition: input.definition)
      try StackShow(try store.stack(name), store, common).print(isReport: true)
    }
  }

  struct Delete: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete a stack and its versions; its patches stay.")

    @Argument(help: "The stack.")
    var name: String
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      try store.open().removeStack(name)
      common.report(.dictionary(["deleted": .string(name)]), text: "deleted the stack \(name.printable)")
    }
  }
}

/// What several of the commands above share.
enum StackEdit {
  /// Checks that the members can be combined, and keeps them in the store until the stack is saved. Adds members given
  /// as files to the store, since a stack there must not depend on files elsewhere.
  /// - Parameter opened: members that are already open.
  static func check(
    _ definition: StackDefinition, opened: [Patch], _ store: Store, _ common: CommonOptions
  ) throws {
    let threads = common.work.threads
    let members = try definition.members.map { member in
      try opened.first { $0.identity == member.identity } ?? store.patch(member.identity, threads: threads)
    }
    if !members.isEmpty { _ = try Merge(definition, patches: members) }
    try store.keep(members, threads: threads)
  }
}

/// The base of a stack as typed.
enum StackBase {
  /// - Parameter text: a root of 64 hex digits, or a checkpoint, whose root is read from its provenance or computed.
  static func root(_ text: String, _ common: CommonOptions) throws -> ContentDigest {
    if try PathKind.of(text) == .missing, let root = ContentDigest(hex: text) { return root }
    let checkpoint = try Inputs.checkpoint(text, common)
    return try Provenance.of(checkpoint)?.target ?? checkpoint.root(common.work)
  }
}

extension StackDiff.Change {
  func text(_ name: (ContentDigest) throws -> String) rethrows -> String {
    switch self {
    case .base(let a, let b): "base    \(a.short) → \(b.short)"
    case .method(let a, let b): "method  \(a.text) → \(b.text)"
    case .removed(let member): "-       \(try name(member.identity).printable)@\(member.scale.shortest)"
    case .added(let member): "+       \(try name(member.identity).printable)@\(member.scale.shortest)"
    case .scale(let identity, let a, let b): "scale   \(try name(identity).printable): \(a.shortest) → \(b.shortest)"
    }
  }
}
