import PatchFormat

/// What patches do to the files beside a directory's checkpoint, as they stand there now.
struct SideFileChanges {
  /// In ascending order of name.
  let replaced: [Replacement]
  /// Files that a patch changes, but that were not what it was made from.
  let kept: [String]

  /// A file as the patches make it; without contents it is gone.
  struct Replacement {
    let name: String
    let contents: [UInt8]?
  }

  /// - Throws: `refused` for a patch that brings a journal.
  init(_ checkpoint: Checkpoint, _ steps: [PatchStep]) throws {
    var replaced: [String: Replacement] = [:]
    var kept: [String] = []
    for step in checkpoint.isDirectory ? steps : [] {
      for file in step.sideFiles {
        // The format allows the name; what a file of it means is not for a patch to say.
        guard !Journal.isJournalName(file.name) else {
          throw VPatchError(
            .refused, step.patch.label, "has a side file with the name of a journal, \"\(file.name.printable)\"",
            remedy: "do not use this patch: it would make the model look half-switched")
        }
        let known = replaced[file.name.bytesKey]
        let current = try known.map(\.contents) ?? Self.contents(file.name, of: checkpoint)
        if current == file.from {
          replaced[file.name.bytesKey] = Replacement(name: file.name, contents: file.to)
        } else if current != file.to, !kept.contains(where: { $0.isSame(as: file.name) }) {
          kept.append(file.name)
        }
      }
    }
    self.replaced = replaced.values.sorted { $0.name.precedes($1.name) }
    self.kept = kept
  }

  /// Whether it is the same when one looks again.
  func isStillSo(_ checkpoint: Checkpoint, _ steps: [PatchStep]) throws -> Bool {
    let now = try SideFileChanges(checkpoint, steps)
    return now.kept == kept && now.replaced.map(\.name) == replaced.map(\.name)
      && now.replaced.map(\.contents) == replaced.map(\.contents)
  }

  /// What the input has under that name; nil where it has nothing. What is too large to travel is not read.
  private static func contents(_ name: String, of checkpoint: Checkpoint) throws -> [UInt8]? {
    let path = Path.join(checkpoint.path, name)
    guard try PathKind.of(path) == .file else { return nil }
    let file = try InputFile(path: path)
    return file.size > SideFiles.maximumSize ? [] : try file.read(0..<file.size)
  }
}
