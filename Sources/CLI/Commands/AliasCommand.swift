import ArgumentParser
import Base
import Catalogue
import Report

struct AliasCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "alias",
    abstract: "Give a patch in the store a short name.",
    discussion: """
      An alias names one patch. Giving it to another patch moves it.

      EXAMPLES
        vpatch alias                      lists all aliases
        vpatch alias counting 7bea7a
        vpatch alias --delete counting
      """)

  @Argument(help: "The alias: \(Name.rule).")
  var name: String?
  @Argument(help: "The patch.", completion: .patches)
  var patch: String?
  @Flag(help: "Delete the alias; the patch stays.")
  var delete = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if delete, name == nil || patch != nil { throw ValidationError("--delete takes only the alias.") }
    if !delete, name != nil, patch == nil { throw ValidationError("Give the patch that the alias names.") }
  }

  func run() throws {
    let store = try store.open()
    guard let name else { return list(try store.aliases()) }
    guard let patch else {
      try store.removeAlias(name)
      return common.report(.dictionary(["deleted": .string(name)]), text: "\(name.printable) is no longer an alias")
    }
    let (identity, before) = try store.alias(name, workspace.patchName(patch))
    common.report(
      .dictionary([
        "alias": .string(name), "identity": .string(identity.hex), "was": before.map { .string($0.hex) },
      ]), text: "\(name.printable) is \(identity.short)" + (before.map { ", and was \($0.short)" } ?? ""))
  }

  private func list(_ aliases: [Alias]) {
    var table = TextTable([.init("alias"), .init("identity")])
    for alias in aliases { table.add([alias.name, alias.identity.short]) }
    common.print(
      .object(aliases.map { JSON.Member($0.name, .string($0.identity.hex)) }),
      text: aliases.isEmpty ? "no aliases" : table.lines(width: common.width))
  }
}
