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
  /// Whether `--any-scale` was given.
  var allowsAnyScale: Bool { get }
}

extension StoreCommand {
  var allowsAnyScale: Bool { false }

  var workspace: Workspace {
    var workspace = common.workspace(store)
    workspace.allowsAnyScale = allowsAnyScale
    return workspace
  }
}

/// The option of commands that take patches with scales.
struct ScaleOptions: ParsableArguments {
  @Flag(help: "Allow scales beyond −1 to 2.")
  var anyScale = false
}
