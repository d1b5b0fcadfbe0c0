import CSystem
import Glibc

/// A file that is changed where it lies: the only kind of output that is written to under its final name.
public final class InPlaceFile: Sendable {
  public let path: String
  /// What the system said of it when it was opened.
  public let state: FileState
  private let descriptor: CInt

  /// Its length when it was opened.
  public var size: Int { state.size }
  public var identity: FileIdentity { state.identity }
  /// Under how many names it is known.
  public var linkCount: Int { state.linkCount }

  /// Follows symbolic links.
  /// - Throws: `io` where it is not there, not a regular file, or may not be written to.
  public init(path: String) throws {
    (descriptor, state) = try Descriptor.openFile(path, O_RDWR, "cannot be opened for writing")
    self.path = path
  }

  deinit { close(descriptor) }

  /// Holds the file against others who lock it, until this value goes.
  /// - Returns: false where another holds it.
  public func lock() throws -> Bool { try FileLock.take(.writing, descriptor, path) }

  /// Holds the file of a model against other changes, and unless it is only replaced against readers, until this value
  /// goes. Waits for readers.
  /// - Throws: `refused` where another process changes it, or reads it for longer than that.
  /// - Parameter remedy: what to do about readers who take longer.
  public func hold(
    _ use: FileLock.Use, model: String, remedy: String, patience: Duration = Patience.usual
  ) throws {
    try Patience.wait(patience) {
      if try FileLock.take(use, descriptor, path) { return }
      guard FileLock.isHeldByReaders(descriptor) else { throw Checkpoint.isBeingSwitched(model) }
      throw Busy(VPatchError(.refused, model, "is being read by another process", remedy: remedy))
    }
  }

  /// Whether the path still leads to this file.
  /// - Throws: `io` where the system does not say.
  public func isStillThere() throws -> Bool { try FileIdentity.of(path) == identity }

  /// Copies a range of another file over the bytes from `offset` on, and lets the disk begin with them.
  public func copy(from source: InputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.path, range, to: descriptor, at: offset, path)
    vp_begin_writeback(descriptor, off_t(offset), off_t(range.count))
  }

  /// Reads what stands there now.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try Descriptor.readBack(from: descriptor, into: buffer, at: offset, path)
  }

  /// Takes the space that writing over a range needs, where the file has holes.
  public func reserve(_ range: Range<Int>) throws {
    let info = try FileStatus.of(descriptor, path)
    guard Int(info.st_blocks) * 512 < Int(info.st_size) else { return }
    try Descriptor.reserve(range, of: descriptor, path)
  }

  /// Makes durable what was written.
  public func sync() throws { try Descriptor.sync(descriptor, path) }
}
