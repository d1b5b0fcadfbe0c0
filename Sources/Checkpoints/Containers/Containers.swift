import Base

/// The containers that checkpoints are stored in.
package enum Containers {
  /// Opens a file or a folder in whatever container it is. In a folder, safetensors files have precedence.
  /// - Throws: as the container's own initialiser; `invalid` for what is none.
  package static func open(
    _ path: String, reading: SafetensorsCheckpoint.Reading = .specified
  ) throws -> any Checkpoint {
    switch try PathKind.of(path) {
    case .missing: break
    case .directory:
      func has(_ name: String) throws -> Bool { try PathKind.of(Path.join(path, name)) != .missing }
      if try has(SafetensorsCheckpoint.singleName) || has(SafetensorsCheckpoint.indexName) { break }
      if let folder = try DistributedCheckpoint.folder(in: path) {
        return try DistributedCheckpoint.open(folder: folder)
      }
      if try !ShardedSafetensors.files(in: path).isEmpty { return try ShardedSafetensors.open(folder: path) }
      if try has(TorchCheckpoint.singleName) || has(TorchCheckpoint.indexName) {
        return try TorchCheckpoint.open(folder: path)
      }
    default:
      guard try FileForm.of(InputFile(path: path)) == .pickle else { break }
      if path.hasSuffix(DistributedCheckpoint.suffix) || Path.name(path) == DistributedMetadata.fileName {
        throw VPatchError(
          .invalid, path, "is one file of a distributed checkpoint", remedy: "give its folder: \(Path.parent(path))")
      }
      return try TorchCheckpoint.open(file: path)
    }
    return try SafetensorsCheckpoint(path: path, reading: reading)
  }
}
