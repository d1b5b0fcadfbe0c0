import Base
import PatchFormat

/// The side files that the members of a stack change.
struct MemberSideFiles {
  /// Files that one member changes, or several in the same way.
  private(set) var agreed: [Annex.SideFile] = []
  /// Files that members change differently. They stay unchanged.
  private(set) var disputed: [DisputedFile] = []

  /// - Parameter patches: the members with an effect.
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
