import ArgumentParser
import Catalogue
import Glibc
import Workspace

/// The options of commands that take patches by their names in the store.
struct StoreOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Store folder. (default: $VPATCH_STORE, else ~/.local/share/vpatch)", valueName: "dir"))
  var store: String?

  var location: StoreLocation { StoreLocation(store) }

  func open(create: Bool = false) throws -> Store { try location.open(create: create) }
}

/// A command that works with a store.
protocol StoreCommand: ParsableCommand {
  var store: StoreOptions { get }
  var common: CommonOptions { get }
}

extension StoreCommand {
  var workspace: Workspace { common.workspace(store) }
}
