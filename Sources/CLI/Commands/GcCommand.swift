import ArgumentParser
import Base
import Catalogue

struct GcCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc",
    abstract: "Delete unused files from the store.",
    discussion: """
      Deletes composites that no stack and no model in use needs, files that the catalogue does not list, and \
      leftovers of interrupted processes; never a patch that was added or that is needed to revert a model. Without \
      --yes, gc only shows what it would delete.

      EXAMPLES
        vpatch gc
        vpatch gc --yes
        vpatch gc --forget /srv/model.safetensors --yes     for a model that no longer exists
      """)

  @Flag(help: "Delete the listed items.")
  var yes = false
  @Option(help: ArgumentHelp("Model that no longer exists: keep nothing to revert it; repeatable.", valueName: "model"))
  var forget: [String] = []
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let store = try store.open()
    let forgetting = try forget.map(Path.absolute)
    let garbage = try yes ? store.collect(forgetting: forgetting) : store.garbage(forgetting: forgetting)
    if yes {
      common.report(json(garbage), text: text(garbage))
    } else {
      common.print(json(garbage), text: text(garbage))
    }
  }

  private func text(_ garbage: Garbage) -> String {
    let lines =
      garbage.derived.map { "\($0.kind.rawValue.padded(11))\($0.identity.short)  \(Format.bytes($0.fileBytes))" }
      + garbage.orphans.map { "unknown    \($0.printable)" }
      + garbage.temporaries.map { "temporary  \($0.printable)" }
    guard !lines.isEmpty else { return "nothing to delete" }
    let sum =
      yes ? "\(Format.bytes(garbage.bytes)) freed" : "\(Format.bytes(garbage.bytes)) to free: --yes deletes it"
    return (lines + [sum]).joined(separator: "\n")
  }

  private func json(_ garbage: Garbage) -> JSON {
    .dictionary([
      "deleted": .bool(yes), "bytes": JSON(garbage.bytes),
      "derived": .array(garbage.derived.map(\.json)), "unknown": .array(garbage.orphans.map { .string($0) }),
      "temporary": .array(garbage.temporaries.map { .string($0) }),
    ])
  }
}
