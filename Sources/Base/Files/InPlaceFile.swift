import CSystem
import Glibc

/// A file that is changed where it lies: the only kind of output that is written to under its final name.
package final class InPlaceFile: Sendable {
  package let path: String
  /// What the system said of it when it was opened.
  package let state: FileState
  private let descriptor: CInt

  /// Its length when it was opened.
  package var size: Int { state.size }
  package var identity: FileIdentity { state.identity }
  /// Under how many names it is known.
  package var linkCount: Int { state.linkCount }

  /// Follows symbolic links.
  /// - Throws: `io` where it is not there, not a regular file, or may not be written to.
  package init(path: String) throws {
    (descriptor, state) = try Descriptor.openFile(path, O_RDWR, "cannot be opened for writing")
    self.path = path
  }

  deinit { close(descriptor) }

  /// Holds the file against others who lock it, until this value goes.
  /// - Returns: false where another holds it.
  package func lock() throws -> Bool { try FileLock.take(.writing, descriptor, path) }

  /// Holds the file of a model against other changes, and unless it is only replaced against readers, until this value
  /// goes. Waits for readers.
  /// - Throws: `refused` where another process changes it, or reads it for longer than that.
  /// - Parameter remedy: what to do about readers who take longer.
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
  /// - Throws: `io` where the system does not say.
  package func isStillThere() throws -> Bool { try FileIdentity.of(path) == identity }

  /// Copies a range of another file over the bytes from `offset` on, and lets the disk begin with them.
  package func copy(from source: InputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.path, range, to: descriptor, at: offset, path)
    vp_begin_writeback(descriptor, off_t(offset), off_t(range.count))
  }

  /// Reads what stands there now.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try Descriptor.readBack(from: descriptor, into: buffer, at: offset, path)
  }

  /// Takes the space that writing over a range needs, where the file has holes.
  package func reserve(_ range: Range<Int>) throws {
    let info = try FileStatus.of(descriptor, path)
    guard Int(info.st_blocks) * 512 < Int(info.st_size) else { return }
    try Descriptor.reserve(range, of: descriptor, path)
  }

  /// Makes durable what was written.
  package func sync() throws { try Descriptor.sync(descriptor, path) }
}
