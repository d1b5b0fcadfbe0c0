import PatchFormat

/// Brings along what lies beside a directory's checkpoint, with the changes that the patches make to it.
struct SideFileCopy {
  let from: Checkpoint
  let steps: [PatchStep]
  let layout: FileLayout

  struct Outcome {
    /// Files that a patch changes, but that were not what it was made from.
    var kept: [String]
    /// Files that did not come along.
    var leftOut: [String]
  }

  /// Writes the index and all side files into `directory`.
  func write(to directory: String) throws -> Outcome {
    if let index = layout.index { try write(index, to: Path.join(directory, Checkpoint.indexName)) }
    var outcome = Outcome(kept: [], leftOut: [])
    var replaced: [String: Replacement] = [:]
    for step in steps {
      for file in step.sideFiles {
        let known = replaced[file.name.bytesKey]
        let current = try known.map(\.contents) ?? contents(file.name)
        if current == file.from {
          replaced[file.name.bytesKey] = Replacement(name: file.name, contents: file.to)
        } else if current != file.to, !outcome.kept.contains(where: { $0.isSame(as: file.name) }) {
          outcome.kept.append(file.name)
        }
      }
    }
    try copy(from.path, directory, "", Set(replaced.keys), &outcome)
    for file in replaced.values.sorted(by: { $0.name.precedes($1.name) }) {
      if let contents = file.contents { try write(contents, to: Path.join(directory, file.name)) }
    }
    return outcome
  }

  /// A file as the patches make it; without contents it is gone.
  private struct Replacement {
    let name: String
    let contents: [UInt8]?
  }

  /// What the input has under that name; nil where it has nothing. What is too large to travel is not read.
  private func contents(_ name: String) throws -> [UInt8]? {
    let path = Path.join(from.path, name)
    guard PathKind.of(path) == .file else { return nil }
    let file = try InputFile(path: path)
    return file.size > SideFiles.maximumSize ? [] : try file.read(0..<file.size)
  }

  private func copy(
    _ source: String, _ target: String, _ prefix: String, _ replaced: Set<String>, _ outcome: inout Outcome
  ) throws {
    let names = from.files.map(\.name) + [Checkpoint.indexName, Provenance.directoryName]
    let written = replaced.union(names.map(\.bytesKey))
    for name in try Path.entries(of: source) where !name.hasPrefix(".") {
      let path = Path.join(source, name)
      if prefix.isEmpty, written.contains(name.bytesKey) { continue }
      switch PathKind.of(path) {
      case .file where !SideFiles.isWeights(name):
        let file = try InputFile(path: path)
        let output = try OutputFile(path: Path.join(target, name))
        try output.reserve(file.size)
        try output.copy(from: file, 0..<file.size, at: 0)
        try output.commit()
      // A link to a folder could lead anywhere, and in circles.
      case .directory where PathKind.of(path, followingLinks: false) == .directory:
        let folder = try OutputDirectory(path: Path.join(target, name))
        try copy(path, folder.temporaryPath, prefix + name + "/", replaced, &outcome)
        try folder.commit()
      default: outcome.leftOut.append(prefix + name)
      }
    }
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let output = try OutputFile(path: path)
    try output.write(bytes, at: 0)
    try output.commit()
  }
}
