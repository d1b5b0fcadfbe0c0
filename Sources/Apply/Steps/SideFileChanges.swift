import Base
import Checkpoints

/// The changes that patches make to the files beside a directory's checkpoint, given their current state.
///
/// A file is replaced or removed only if its contents are the patch's own side. A file is added only if the name is
/// free. Everything else is kept.
package struct SideFileChanges {
  /// In ascending order of name.
  package let replaced: [Replacement]
  /// Files that a patch would change but that do not match it: other contents, too large, links that lead out of the
  /// folder, folders, and special files.
  package let kept: [String]
  package let summary: SideFileSummary

  /// A file after the patches.
  package struct Replacement {
    package let name: String
    /// Nil where it is removed.
    package let contents: [UInt8]?
    /// The file that it replaces; nil where there is none.
    package let over: SideFile.Seen?
  }

  /// The state of a file as the steps are followed.
  private struct Course {
    let name: String
    let over: SideFile.Seen?
    let first: [UInt8]?
    var current: [UInt8]?
  }

  /// - Throws: `refused` for a patch with a journal as a side file; `io` for a file that cannot be examined.
  package init(_ checkpoint: SafetensorsCheckpoint, _ steps: [PatchStep]) throws {
    let folder = Enclosure(checkpoint.path)
    var courses: [String: Course] = [:]
    var untouchable: Set<String> = []
    var kept: [String] = []
    for step in checkpoint.isDirectory ? steps : [] {
      for file in step.sideFiles {
        // The format allows the name, but a patch must not create a journal.
        guard !ModelPlace.isJournalName(file.name) else {
          throw VPatchError(
            .refused, step.patch.label, "has a side file with the name of a journal, \"\(file.name.printable)\"",
            remedy: "do not use this patch: it would make the model look half-switched")
        }
        let key = file.name.bytesKey
        guard !untouchable.contains(key) else { continue }
        guard var course = try courses[key] ?? Self.course(file.name, in: folder) else {
          untouchable.insert(key)
          kept.append(file.name)
          continue
        }
        if course.current == file.from {
          course.current = file.to
        } else if course.current != file.to {
          kept.append(file.name)
        }
        courses[key] = course
      }
    }
    let changed = courses.values.filter { $0.current != $0.first }.sorted { $0.name.precedes($1.name) }
    replaced = changed.map { Replacement(name: $0.name, contents: $0.current, over: $0.over) }
    summary = SideFileSummary(changed.map { ($0.name, $0.first, $0.current) })
    // A file that one step kept and another changes is not kept. Each name is listed once.
    var named = Set(changed.map(\.name.bytesKey))
    self.kept = kept.filter { named.insert($0.bytesKey).inserted }
  }

  /// Nil for what no patch may change.
  private static func course(_ name: String, in folder: Enclosure) throws -> Course? {
    switch try SideFile(name, in: folder) {
    case .missing: Course(name: name, over: nil, first: nil, current: nil)
    case .contents(let bytes, let seen): Course(name: name, over: seen, first: bytes, current: bytes)
    case .folder, .outside, .special, .tooLarge: nil
    }
  }
}
