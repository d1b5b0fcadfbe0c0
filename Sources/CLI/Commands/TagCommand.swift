import ArgumentParser
import Base
import Catalogue
import Report

struct TagCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "tag",
    abstract: "Tag a patch in the store.",
    discussion: """
      Several patches can have the same tag. A tag that only one patch has also names that patch.

      EXAMPLES
        vpatch tag                        lists all tags
        vpatch tag counting sweep-7 good
        vpatch tag --delete counting good
      """)

  @Argument(help: "The patch.", completion: .patches)
  var patch: String?
  @Argument(help: ArgumentHelp("Tags: \(Name.rule).", valueName: "tag"))
  var tags: [String] = []
  @Flag(help: "Remove the tags; the patch stays.")
  var delete = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if patch != nil || delete, tags.isEmpty { throw ValidationError("Give a patch and its tags.") }
  }

  func run() throws {
    let store = try store.open()
    guard let patch else { return list(try store.tags()) }
    let name = try workspace.patchName(patch)
    let (identity, now) = try tags.isEmpty || !delete ? store.tag(name, tags) : store.untag(name, tags)
    common.report(
      .dictionary(["identity": .string(identity.hex), "tags": .array(now.map { .string($0) })]),
      text: "\(identity.short)  \(now.isEmpty ? "no tags" : now.map(\.printable).joined(separator: " "))")
  }

  private func list(_ tags: [(name: String, patches: Int)]) {
    var table = TextTable([.init("tag"), .init("patches", .right)])
    for tag in tags { table.add([tag.name, Format.grouped(tag.patches)]) }
    common.print(
      .object(tags.map { JSON.Member($0.name, JSON($0.patches)) }),
      text: tags.isEmpty ? "no tags" : table.lines(width: common.width))
  }
}
