import ArgumentParser
import Base
import Catalogue
import PatchFormat

struct LogCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "log",
    abstract: "Draw the lineage of the patches in the store.",
    discussion: """
      ○ is a base, ● a patch, ◆ a stack. Patches made on top of a patch are drawn below it.

      EXAMPLES
        vpatch log
        vpatch log counting     its base, its chain, what was made on top of it
        vpatch log 7e4d         patches made from the base whose root starts with 7e4d
      """)

  @Argument(help: ArgumentHelp("A patch or a base.", valueName: "patch-or-base"), completion: .patches)
  var what: String?
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let store = try store.open()
    let lines = try lines(store)
    let texts = try lines.map { try text($0, store) }
    common.print(json(lines), text: lines.isEmpty ? "no patches" : texts.joined(separator: "\n"))
  }

  private func lines(_ store: Store) throws -> [Lineage.Line] {
    guard let what else { return try store.lineage().lines() }
    do { return try store.lineage(around: store.resolve(workspace.patchName(what))).lines() } catch let error
      as VPatchError
      where error.code == .io
    {
      // Not a patch, so perhaps a base. If it is neither, the error speaks of patches.
      guard let root = try? store.resolveBase(what, absolutePath: Path.absolute(what)) else { throw error }
      return try store.lineage().lines(from: root)
    }
  }

  private func text(_ line: Lineage.Line, _ store: Store) throws -> String {
    var words: [String?]
    switch line.node {
    case .base(let base):
      words = [
        base.root.short, base.layout, base.tensors.map { Format.counted($0, "tensor") }, base.bytes.map(Format.bytes),
        base.paths.first.map(Path.fromHere),
      ]
    case .patch(let patch):
      words = [
        patch.title, patch.identity.short, patch.recipe, Format.bytes(patch.fileBytes), Format.time(patch.added),
      ]
    case .stack(let stack):
      let members = try stack.definition.members.map { member in
        let name = try store.label(member.identity) ?? member.identity.short
        return MemberReference(name: name, scale: member.scale).text
      }
      words = [
        "\(stack.name) v\(stack.version)", stack.definition.method.text, members.joined(separator: " + "),
        Format.time(stack.created),
      ]
    }
    return line.graph + words.compactMap { $0?.printable }.joined(separator: "  ")
  }

  private func json(_ lines: [Lineage.Line]) -> JSON {
    var (bases, patches, stacks): ([JSON], [JSON], [JSON]) = ([], [], [])
    for line in lines {
      switch line.node {
      case .base(let base):
        bases.append(
          .dictionary([
            "root": .string(base.root.hex), "layout": base.layout.map { .string($0) },
            "tensors": base.tensors.map { JSON($0) }, "bytes": base.bytes.map { JSON($0) },
            "paths": .array(base.paths.map { .string($0) }),
          ]))
      case .patch(let patch): patches.append(patch.json)
      case .stack(let stack):
        stacks.append(
          .object(
            [JSON.Member("name", .string(stack.name)), JSON.Member("version", JSON(stack.version))]
              + (stack.definition.json().object ?? [])))
      }
    }
    return .dictionary(["bases": .array(bases), "patches": .array(patches), "stacks": .array(stacks)])
  }
}
