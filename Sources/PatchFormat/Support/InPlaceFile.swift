import CSystem
import Glibc

/// A file that is changed where it lies: the only kind of output that is written to under its final name.
public final class InPlaceFile: Sendable {
  public let path: String
  /// Its length when it was opened.
  public let size: Int
  public let identity: FileIdentity
  /// Under how many names it is known.
  public let linkCount: Int
  private let descriptor: CInt

  /// Follows symbolic links.
  /// - Throws: `io` where it is not there, not a regular file, or may not be written to.
  public init(path: String) throws {
    let fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK)
    guard fd >= 0 else { throw VPatchError.system(path, "cannot be opened for writing") }
    var info = stat()
    guard fstat(fd, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      close(fd)
      throw VPatchError(.io, path, "is not a regular file")
    }
    self.path = path
    size = Int(info.st_size)
    identity = FileIdentity(device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
    linkCount = Int(info.st_nlink)
    descriptor = fd
  }

  deinit { close(descriptor) }

  /// Holds the file against others who lock it, until this value goes.
  /// - Returns: false where another holds it.
  public func lock() throws -> Bool { try FileLock.take(descriptor, path) }

  /// Whether the path still leads to this file.
  public var isStillThere: Bool {
    var info = stat()
    return stat(path, &info) == 0
      && identity == FileIdentity(device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
  }

  /// Copies a range of another file over the bytes from `offset` on, and lets the disk begin with them.
  public func copy(from source: InputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.path, range, to: descriptor, at: offset, path)
    vp_begin_writeback(descriptor, off_t(offset), off_t(range.count))
  }

  /// Reads what stands there now.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try Descriptor.readBack(from: descriptor, into: buffer, at: offset, path)
  }

  /// Makes durable what was written.
  public func sync() throws { try Descriptor.sync(descriptor, path) }
}
