import ArgumentParser
import Workspace

/// The options of commands that change a model in place.
struct InPlaceArguments: ParsableArguments {
  @Flag(help: "Write whole files and rename them over the old ones: safe for a model that is being served.")
  var byRename = false

  @Flag(help: "Write through symbolic links, and into files with several hard links.")
  var allowLinks = false

  func options(full: Bool) -> InPlaceOptions {
    InPlaceOptions(full: full, allowLinks: allowLinks, byRename: byRename)
  }
}
