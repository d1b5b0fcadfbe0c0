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
    let changes = try SideFileChanges(from, steps)
    var outcome = Outcome(kept: changes.kept, leftOut: [])
    try copy(from.path, directory, "", Set(changes.replaced.map(\.name.bytesKey)), &outcome)
    for file in changes.replaced {
      if let contents = file.contents { try write(contents, to: Path.join(directory, file.name)) }
    }
    return outcome
  }

  private func copy(
    _ source: String, _ target: String, _ prefix: String, _ replaced: Set<String>, _ outcome: inout Outcome
  ) throws {
    let names = from.files.map(\.name) + [Checkpoint.indexName, ModelPlace.provenanceName]
    let written = replaced.union(names.map(\.bytesKey))
    for name in try Path.entries(of: source) where !name.hasPrefix(".") {
      let path = Path.join(source, name)
      if prefix.isEmpty, written.contains(name.bytesKey) { continue }
      switch try PathKind.of(path) {
      case .file where !SideFiles.isWeights(name):
        let file = try InputFile(path: path)
        let output = try OutputFile(path: Path.join(target, name))
        try output.reserve(file.size)
        try output.copy(from: file, 0..<file.size, at: 0)
        try output.commit()
      // A link to a folder could lead anywhere, and in circles.
      case .directory where try PathKind.of(path, followingLinks: false) == .directory:
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
