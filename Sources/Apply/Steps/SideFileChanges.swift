import Base
import Checkpoints

/// What patches do to the files beside a directory's checkpoint, as they stand there now.
///
/// Only a file whose contents are the patch's own side is replaced or removed, and a name is given only where nothing
/// has it. Everything else stays as it is.
package struct SideFileChanges {
  /// In ascending order of name.
  package let replaced: [Replacement]
  /// What a patch changes, but was not what it was made from: files of other contents, larger than what travels, or
  /// links that lead out of the folder; folders; what is no file at all.
  package let kept: [String]
  package let summary: SideFileSummary

  /// A file as the patches make it.
  package struct Replacement {
    package let name: String
    /// Nil where it is gone.
    package let contents: [UInt8]?
    /// What it takes the place of; nil where nothing has the name.
    package let over: SideFile.Seen?
  }

  /// A name on its way through the steps.
  private struct Course {
    let name: String
    let over: SideFile.Seen?
    let first: [UInt8]?
    var current: [UInt8]?
  }

  /// - Throws: `refused` for a patch that brings a journal; `io` for a file that cannot be looked at.
  package init(_ checkpoint: Checkpoint, _ steps: [PatchStep]) throws {
    let folder = Enclosure(checkpoint.path)
    var courses: [String: Course] = [:]
    var untouchable: Set<String> = []
    var kept: [String] = []
    for step in checkpoint.isDirectory ? steps : [] {
      for file in step.sideFiles {
        // The format allows the name; what a file of it means is not for a patch to say.
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
    // One that a step left alone and another changes does not stay as it is; each is named once.
    var named = Set(changed.map(\.name.bytesKey))
    self.kept = kept.filter { named.insert($0.bytesKey).inserted }
  }

  /// Nil for what no patch may touch.
  private static func course(_ name: String, in folder: Enclosure) throws -> Course? {
    switch try SideFile(name, in: folder) {
    case .missing: Course(name: name, over: nil, first: nil, current: nil)
    case .contents(let bytes, let seen): Course(name: name, over: seen, first: bytes, current: bytes)
    case .folder, .outside, .special, .tooLarge: nil
    }
  }
}
