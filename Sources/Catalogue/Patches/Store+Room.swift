import Base

extension Store {
  /// Checks before the long work of creating a patch that it could be added: catalogue and folder are writable, and the
  /// disk has space.
  /// - Throws: `io` where that is not the case.
  package func requireRoom(bytes: Int) throws {
    try write { _ in }
    try OutputFile.requireRoom(for: Path.join(patchesPath, "room"), bytes: bytes)
  }
}
