import Apply
import ArgumentParser
import Base
import Catalogue
import PatchFormat
import Report
import Workspace

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
        vpatch stack remove-member triage counting
        vpatch apply base/ --stack triage -o model/
        vpatch stack export triage -o triage.stack        a text file, for version control
      """,
    subcommands: [
      New.self, Add.self, Remove.self, Show.self, Diff.self, List.self, Export.self, Import.self, Delete.self,
    ])

  struct New: StoreCommand {
    static let configuration = CommandConfiguration(abstract: "Define a stack.")

    @Argument(help: "Name of the stack.")
    var name: String
    @Option(help: ArgumentHelp("The base checkpoint of all members, or its root.", valueName: "model"))
    var base: String
    @Argument(help: "Patches as NAME_OR_FILE[@SCALE].", completion: .patches)
    var members: [String]
    @OptionGroup var merge: MergeOptions
    @OptionGroup var scales: ScaleOptions
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    var allowsAnyScale: Bool { scales.anyScale }

    func run() throws {
      let stack = try workspace.newStack(name, base: base, members: members, method: merge.mergeMethod())
      try StackShow(stack, in: workspace, common).print(isReport: true)
    }
  }

  struct Add: StoreCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add members, or change their scales; --method changes the merge method.")

    @Argument(help: "The stack.", completion: .stacks)
    var name: String
    @Argument(help: "Patches as NAME_OR_FILE[@SCALE].", completion: .patches)
    var members: [String] = []
    @OptionGroup var merge: MergeOptions
    @OptionGroup var scales: ScaleOptions
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    var allowsAnyScale: Bool { scales.anyScale }

    func run() throws {
      let stack = try workspace.addMembers(members, to: name) { try merge.changing($0) }
      try StackShow(stack, in: workspace, common).print(isReport: true)
    }
  }

  struct Remove: StoreCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove-member", abstract: "Remove members from a stack.", aliases: ["remove"])

    @Argument(help: "The stack.", completion: .stacks)
    var name: String
    @Argument(help: "The members to remove.", completion: .patches)
    var members: [String]
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let stack = try workspace.removeMembers(members, from: name)
      try StackShow(stack, in: workspace, common).print(isReport: true)
    }
  }

  struct Show: StoreCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show a stack: members, overlap, learning and forgetting.")

    @Argument(help: "The stack.", completion: .stacks)
    var name: String
    @Option(help: ArgumentHelp("Version to show. (default: the latest)", valueName: "n"))
    var version: Int?
    @Option(help: ArgumentHelp("The base, to compare the members' changes weight by weight.", valueName: "model"))
    var base: String?
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let stack = try store.open().stack(name, version: version)
      try StackShow(stack, in: workspace, common, base: base.map { try workspace.checkpoint($0) }).print()
    }
  }

  struct Diff: StoreCommand {
    static let configuration = CommandConfiguration(abstract: "Show the differences between two stacks.")

    @Argument(help: "A stack, or a stack file.", completion: .stacks)
    var a: String
    @Argument(help: "Another stack, or a stack file.", completion: .stacks)
    var b: String
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let inputs = try [a, b].map { try StackInput($0, in: workspace) }
      let store = try workspace.store.existing()
      let changes = StackDiff(inputs[0].definition, inputs[1].definition).changes
      let lines = try changes.map { try $0.text { try store?.label($0) ?? $0.short } }
      let json = JSON.dictionary([
        "a": .string(inputs[0].definition.identity.hex), "b": .string(inputs[1].definition.identity.hex),
        "same": .bool(changes.isEmpty), "changes": .array(lines.map { .string($0) }),
      ])
      common.print(json, text: lines.isEmpty ? "identical" : lines.joined(separator: "\n"))
    }
  }

  struct List: StoreCommand {
    static let configuration = CommandConfiguration(abstract: "List the stacks of the store.")

    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      let store = try self.store.open()
      let stacks = try store.stacks()
      var table = TextTable([
        .init("stack"), .init("version", .right, rank: 1), .init("base", rank: 2), .init("method"), .init("members"),
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
        text: stacks.isEmpty ? "no stacks: vpatch stack new NAME --base MODEL PATCH…" : table.lines(width: common.width)
      )
    }
  }

  struct Export: StoreCommand {
    static let configuration = CommandConfiguration(abstract: "Write a stack to a stack file.")

    @Argument(help: "The stack.", completion: .stacks)
    var name: String
    @Option(
      name: .shortAndLong, help: ArgumentHelp("Output file; - is standard output. (default: -)", valueName: "file"))
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
      guard let output, output != "-" else { return Terminal.print(text.printableText) }
      try OutputCheck.file(output, inputs: [], force: force)
      let file = try OutputFile(path: output, replacing: force)
      try file.write(text, at: 0)
      try file.commit()
      common.report(.dictionary(["output": .string(output)]), text: "wrote \(output.printable)")
    }
  }

  struct Import: StoreCommand {
    static let configuration = CommandConfiguration(abstract: "Read a stack from a stack file.")

    @Argument(help: "The stack file.", completion: .file())
    var file: String
    @Option(help: "Name of the stack. (default: the name in the file)")
    var name: String?
    @OptionGroup var scales: ScaleOptions
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    var allowsAnyScale: Bool { scales.anyScale }

    func run() throws {
      let stack = try workspace.importStack(file, name: name)
      try StackShow(stack, in: workspace, common).print(isReport: true)
    }
  }

  struct Delete: StoreCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete-stack", abstract: "Delete a stack and its versions; its patches stay.", aliases: ["delete"])

    @Argument(help: "The stack.", completion: .stacks)
    var name: String
    @OptionGroup var store: StoreOptions
    @OptionGroup var common: CommonOptions

    func run() throws {
      try store.open().removeStack(name)
      common.report(.dictionary(["deleted": .string(name)]), text: "deleted the stack \(name.printable)")
    }
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
