import ArgumentParser
import Base
import Catalogue

struct RemoveCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete-patch",
    abstract: "Delete patches from the store.",
    discussion: """
      Deletes all of them or none. vpatch refuses to delete a patch that a stack contains or that is needed to revert \
      a model. A patch with tags, or with aliases other than the given one, requires --force. Files outside the store \
      stay.

      EXAMPLES
        vpatch delete-patch counting
      """, aliases: ["rm"])

  @Argument(help: "The patches to delete.", completion: .patches)
  var patches: [String]
  @Flag(help: "Also delete patches that have tags or other aliases.")
  var force = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let store = try store.open()
    let (identities, bytes) = try store.remove(patches.map { try workspace.patchName($0) }, force: force)
    common.report(
      .dictionary(["deleted": .array(identities.map { .string($0.hex) }), "bytes": JSON(bytes)]),
      text: "deleted \(Format.counted(identities.count, "patch", plural: "patches")), \(Format.bytes(bytes))")
  }
}
