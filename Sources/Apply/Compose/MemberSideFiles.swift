import Base
import PatchFormat

/// The files beside a model that the members of a stack change.
struct MemberSideFiles {
  /// Those that one member changes, or several to the same.
  private(set) var agreed: [Annex.SideFile] = []
  /// Those about which members do not agree: they stay as they are.
  private(set) var disputed: [DisputedFile] = []

  /// - Parameter patches: the members that take part.
  init(_ patches: [Patch]) {
    var files: [String: [(file: Annex.SideFile, patch: Patch)]] = [:]
    for patch in patches {
      for file in patch.annex.sideFiles { files[file.name.bytesKey, default: []].append((file, patch)) }
    }
    for changes in files.values.sorted(by: { $0[0].file.name.precedes($1[0].file.name) }) {
      if changes.allSatisfy({ $0.file == changes[0].file }) {
        agreed.append(changes[0].file)
      } else {
        disputed.append(DisputedFile(name: changes[0].file.name, patches: changes.map(\.patch.label)))
      }
    }
  }
}
