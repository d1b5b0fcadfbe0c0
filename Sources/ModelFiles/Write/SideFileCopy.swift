import Apply
import Base
import Checkpoints

/// Copies the files beside a directory's checkpoint, with the patches' changes to them.
///
/// All files are examined on creation and written later, so that problems are reported before the weights are rebuilt.
struct SideFileCopy {
  package let changes: SideFileChanges
  /// Files that are not copied.
  package private(set) var leftOut: [String] = []
  private var items: [Item] = []

  private struct Item {
    let from: String
    let name: String
    /// The contents of a folder; nil for a file.
    var inside: [Item]?
  }

  /// - Parameter allowsOutside: whether links may lead out of the folder.
  /// - Throws: `refused` for a link that leads out of the folder; `io` for a file that cannot be examined.
  init(_ checkpoint: SafetensorsCheckpoint, _ steps: [PatchStep], allowsOutside: Bool) throws {
    changes = try SideFileChanges(checkpoint, steps)
    guard checkpoint.isDirectory else { return }
    let own = checkpoint.files.map(\.name) + [SafetensorsCheckpoint.indexName, ModelPlace.provenanceName]
    let written = Set((own + changes.replaced.map(\.name)).map(\.bytesKey))
    let folder = Enclosure(checkpoint.path, allowsOutside: allowsOutside)
    items = try list(folder.folder, "", in: folder) { !written.contains($0.bytesKey) }
  }

  private mutating func list(
    _ source: String, _ prefix: String, in folder: Enclosure, where isWanted: (String) -> Bool = { _ in true }
  ) throws -> [Item] {
    var items: [Item] = []
    for name in try Path.entries(of: source) where !name.hasPrefix(".") && isWanted(name) {
      let path = Path.join(source, name)
      switch try PathKind.of(path) {
      case .file where !SideFiles.isWeights(name):
        guard try folder.admits(path) else {
          throw VPatchError(
            .refused, path, "is a link that leads out of the model's folder",
            remedy: "--allow-outside copies its target")
        }
        items.append(Item(from: path, name: name))
      // A link to a folder could lead anywhere, or in circles.
      case .directory where try PathKind.of(path, followingLinks: false) == .directory:
        items.append(Item(from: path, name: name, inside: try list(path, prefix + name + "/", in: folder)))
      default: leftOut.append(prefix + name)
      }
    }
    return items
  }

  /// Writes the index and all side files into `directory`.
  package func write(to directory: String, index: [UInt8]?) throws {
    if let index { try write(index, to: Path.join(directory, SafetensorsCheckpoint.indexName)) }
    try copy(items, to: directory)
    for file in changes.replaced {
      if let contents = file.contents { try write(contents, to: Path.join(directory, file.name)) }
    }
  }

  private func copy(_ items: [Item], to directory: String) throws {
    for item in items {
      let target = Path.join(directory, item.name)
      if let inside = item.inside {
        let folder = try OutputDirectory(path: target)
        try copy(inside, to: folder.temporaryPath)
        try folder.commit()
        continue
      }
      let file = try InputFile(path: item.from)
      let output = try OutputFile(path: target)
      try output.reserve(file.size)
      try output.copy(from: file, 0..<file.size, at: 0)
      try file.requireUnchanged()
      try output.commit()
    }
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let output = try OutputFile(path: path)
    try output.write(bytes, at: 0)
    try output.commit()
  }
}
