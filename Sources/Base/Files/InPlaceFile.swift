import CSystem
import Glibc

/// A file that is changed in place: the only kind of output that is written under its final name.
package final class InPlaceFile: Sendable {
  package let path: String
  /// Its status when it was opened.
  package let state: FileState
  private let descriptor: CInt

  /// Length in bytes when it was opened.
  package var size: Int { state.size }
  package var identity: FileIdentity { state.identity }
  /// Number of hard links.
  package var linkCount: Int { state.linkCount }

  /// Follows symbolic links.
  /// - Throws: `io` where the file is missing, is not a regular file, or cannot be opened for writing.
  package init(path: String) throws {
    (descriptor, state) = try Descriptor.openFile(path, O_RDWR, "cannot be opened for writing")
    self.path = path
  }

  deinit { close(descriptor) }

  /// Locks the whole file for writing, until this value is released.
  /// - Returns: false where another process holds a lock.
  package func lock() throws -> Bool { try FileLock.take(.writing, descriptor, path) }

  /// Locks a model's file against other changes until this value is released. With `writing` also against readers.
  /// Waits for readers.
  /// - Parameter remedy: the advice in the error if readers take longer than `patience`.
  /// - Throws: `refused` where another process changes the file, or reads it for longer than `patience`.
  package func hold(
    _ use: FileLock.Use, model: String, remedy: String, patience: Duration = Patience.usual
  ) throws {
    try Patience.wait(patience) {
      if try FileLock.take(use, descriptor, path) { return }
      guard FileLock.isHeldByReaders(descriptor) else { throw FileLock.isBeingSwitched(model) }
      throw Busy(VPatchError(.refused, model, "is being read by another process", remedy: remedy))
    }
  }

  /// Whether the path still leads to this file.
  /// - Throws: `io` where it cannot be examined.
  package func isStillThere() throws -> Bool { try FileIdentity.of(path) == identity }

  /// Copies a range of another file over the bytes from `offset` on, and starts writing them to disk.
  package func copy(from source: InputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.path, range, to: descriptor, at: offset, path)
    vp_begin_writeback(descriptor, off_t(offset), off_t(range.count))
  }

  /// Fills `buffer` with the current bytes from `offset` on.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try Descriptor.readBack(from: descriptor, into: buffer, at: offset, path)
  }

  /// Allocates the disk space for writing a range, where the file has holes.
  package func reserve(_ range: Range<Int>) throws {
    let info = try FileStatus.of(descriptor, path)
    guard Int(info.st_blocks) * 512 < Int(info.st_size) else { return }
    try Descriptor.reserve(range, of: descriptor, path)
  }

  /// Makes the written bytes durable (fsync).
  package func sync() throws { try Descriptor.sync(descriptor, path) }
}
