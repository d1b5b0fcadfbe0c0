/// The containers that checkpoints are stored in.
package enum Containers {
  /// Opens a file or a folder in whatever container it is.
  /// - Throws: as the container's own initialiser; `invalid` for what is none.
  package static func open(
    _ path: String, reading: SafetensorsCheckpoint.Reading = .specified
  ) throws -> any Checkpoint {
    try SafetensorsCheckpoint(path: path, reading: reading)
  }
}
