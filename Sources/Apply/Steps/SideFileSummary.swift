import Base
import PatchFormat

/// The changes to the files beside a model: names, each list in ascending order.
package struct SideFileSummary: Sendable, Equatable {
  package private(set) var changed: [String] = []
  package private(set) var added: [String] = []
  package private(set) var removed: [String] = []

  /// - Parameter files: the contents before and after, by name; nil where there is no file.
  package init(_ files: [(name: String, from: [UInt8]?, to: [UInt8]?)]) {
    for file in files.sorted(by: { $0.name.precedes($1.name) }) where file.from != file.to {
      if file.from == nil {
        added.append(file.name)
      } else if file.to == nil {
        removed.append(file.name)
      } else {
        changed.append(file.name)
      }
    }
  }

  /// The changes of a patch that is applied to its base.
  package init(_ annex: Annex) { self.init(annex.sideFiles.map { ($0.name, $0.base, $0.target) }) }

  /// "changed: a, b; added: c; removed: d"; nil without changes.
  package var text: String? {
    let parts = [("changed", changed), ("added", added), ("removed", removed)].filter { !$0.1.isEmpty }
    return parts.isEmpty ? nil : parts.map { "\($0): \($1.joined(separator: ", "))" }.joined(separator: "; ")
  }

  /// Members of a command's result.
  package var members: [JSON.Member] {
    func names(_ list: [String]) -> JSON { .array(list.map { .string($0) }) }
    return [
      JSON.Member("side_files_changed", names(changed)), JSON.Member("side_files_added", names(added)),
      JSON.Member("side_files_removed", names(removed)),
    ]
  }
}
