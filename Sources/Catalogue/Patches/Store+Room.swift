import Base

extension Store {
  /// Whether a patch could be taken in, to be found before the long work of making it: catalogue and folder can be
  /// written, and the disk has room.
  /// - Throws: `io` where that is not so.
  package func requireRoom(bytes: Int) throws {
    try write { _ in }
    try OutputFile.requireRoom(for: Path.join(patchesPath, "room"), bytes: bytes)
  }
}
