import PatchFormat

/// Brings along what lies beside a directory's checkpoint, with the changes that the patches make to it.
struct SideFileCopy {
  let from: Checkpoint
  let steps: [PatchStep]
  let layout: FileLayout

  init(from: Checkpoint, steps: [PatchStep], layout: FileLayout) {
    self.from = from
    self.steps = steps
    self.layout = layout
  }

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
    var replaced: [String: [UInt8]?] = [:]
    for step in steps {
      for file in step.sideFiles {
        let current = try replaced[file.name] ?? contents(file.name, like: file.from)
        if current == file.from {
          replaced.updateValue(file.to, forKey: file.name)
        } else if current != file.to {
          outcome.kept.append(file.name)
        }
      }
    }
    try copy(from.path, directory, "", replaced, &outcome)
    for (name, contents) in replaced {
      if let contents { try write(contents, to: Path.join(directory, name)) }
    }
    return outcome
  }

  /// What the input has under that name; nil where it has nothing. A file of another length is not read.
  private func contents(_ name: String, like expected: [UInt8]?) throws -> [UInt8]? {
    let path = Path.join(from.path, name)
    guard PathKind.of(path) == .file else { return nil }
    let file = try InputFile(path: path)
    return file.size > SideFiles.maximumSize ? [] : try file.read(0..<file.size)
  }

  private func copy(
    _ source: String, _ target: String, _ prefix: String, _ replaced: [String: [UInt8]?], _ outcome: inout Outcome
  ) throws {
    let checkpointFiles = Set(from.files.map(\.name) + [Checkpoint.indexName, Provenance.directoryName])
    for name in try Path.entries(of: source) where !name.hasPrefix(".") {
      let path = Path.join(source, name)
      if prefix.isEmpty, checkpointFiles.contains(name) || replaced[name] != nil { continue }
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
