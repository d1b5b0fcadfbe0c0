import CSystem
import Glibc
import Synchronization

/// A file that becomes visible under its final name only when it is whole.
///
/// It is written under a temporary name in the same folder, made durable, and renamed. Dropped without
/// `commit`, it leaves nothing behind. The final name is never opened for writing, so nothing is ever written
/// through a symbolic link or into a file that someone has mapped or hard-linked.
public final class OutputFile: Sendable {
  public let path: String
  private let temporaryPath: String
  private let descriptor: CInt
  private let state = Mutex(State.open)
  private enum State { case open, closed }

  /// Creates the temporary file.
  /// - Throws: `io` where the folder cannot be written to.
  public init(path: String) throws {
    self.path = path
    var fd: CInt = -1
    temporaryPath = try TemporaryFiles.create(beside: path, "cannot be written") { template in
      fd = vp_make_temporary(template)
      return fd >= 0
    }
    descriptor = fd
    // mkstemp makes 0600; what `open` would have made is what a user expects.
    fchmod(fd, 0o666 & ~Umask.value)
  }

  deinit {
    if state.withLock({ $0 == .open }) { abandon() }
  }

  private func abandon() {
    state.withLock { $0 = .closed }
    close(descriptor)
    unlink(temporaryPath)
    TemporaryFiles.remove(temporaryPath)
  }

  /// Reserves `size` bytes, so that a full disk is found before the work and not after it.
  public func reserve(_ size: Int) throws {
    guard size > 0 else { return }
    let code = posix_fallocate(descriptor, 0, off_t(size))
    // Some file systems cannot reserve; there the writes themselves will tell.
    if code != 0, code != EOPNOTSUPP, code != EINVAL {
      throw VPatchError.system(path, "needs \(size) bytes", errno: code)
    }
  }

  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let n = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if n < 0 {
        if errno == EINTR { continue }
        throw VPatchError.system(path, "cannot be written")
      }
      done += n
    }
  }

  public func write(_ bytes: some ContiguousBytesLike, at offset: Int) throws {
    try bytes.withContiguousBytes { try write($0, at: offset) }
  }

  /// Copies a range of another file, in the kernel where it can.
  public func copy(from source: InputFile, _ range: Range<Int>, at offset: Int) throws {
    try copy(fromDescriptor: source.descriptor, source.path, range, at: offset)
  }

  /// Lets the disk begin with a range that is complete, while there is still work to do.
  public func beginWriteback(_ range: Range<Int>) {
    vp_begin_writeback(descriptor, off_t(range.lowerBound), off_t(range.count))
  }

  /// Copies a range of another output that is still being written.
  public func copy(from source: OutputFile, _ range: Range<Int>, at offset: Int) throws {
    try copy(fromDescriptor: source.descriptor, source.temporaryPath, range, at: offset)
  }

  private func copy(fromDescriptor source: CInt, _ name: String, _ range: Range<Int>, at offset: Int) throws {
    var from = off_t(range.lowerBound)
    var to = off_t(offset)
    while from < off_t(range.upperBound) {
      let n = vp_copy_file_range(source, &from, descriptor, &to, range.upperBound - Int(from))
      if n > 0 { continue }
      if n == 0 { throw VPatchError(.io, name, "ends at byte \(from): it was cut while it was read") }
      switch errno {
      case EINTR: continue
      case EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EBADF:
        return try copyByHand(source, name, Int(from)..<range.upperBound, at: Int(to))
      default: throw VPatchError.system(path, "cannot be written")
      }
    }
  }

  private func copyByHand(_ source: CInt, _ name: String, _ range: Range<Int>, at offset: Int) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(1 << 20, max(range.count, 1)), alignment: 64)
    defer { buffer.deallocate() }
    var position = range.lowerBound
    while position < range.upperBound {
      let n = pread(source, buffer.baseAddress, min(buffer.count, range.upperBound - position), off_t(position))
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw VPatchError.system(name, "cannot be read") }
      try write(UnsafeRawBufferPointer(rebasing: buffer[..<n]), at: offset + position - range.lowerBound)
      position += n
    }
  }

  /// Reads back what was written.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < buffer.count {
      let n = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw VPatchError.system(path, "cannot be read back") }
      done += n
    }
  }

  /// Makes the bytes durable and gives the file its name. An existing file of that name is replaced, whole.
  public func commit() throws { try Self.commit([self], threads: 1) }

  /// Several at once: all are durable before the first gets its name, and each folder is synced once.
  public static func commit(_ files: [OutputFile], threads: Int) throws {
    try Parallel.forEach(files.count, threads: threads) { try files[$0].flush() }
    for file in files { try file.place() }
    for folder in Set(files.map { Path.parent($0.path) }).sorted() { Directory.sync(folder) }
  }

  private func flush() throws {
    guard fsync(descriptor) == 0 else { throw VPatchError.system(path, "cannot be made durable") }
  }

  private func place() throws {
    guard rename(temporaryPath, path) == 0 else { throw VPatchError.system(path, "cannot be given its name") }
    state.withLock { $0 = .closed }
    TemporaryFiles.remove(temporaryPath)
    close(descriptor)
  }
}

/// A folder that becomes visible under its final name only when all in it is whole.
public final class OutputDirectory: Sendable {
  public let path: String
  /// Where its files are written until `commit`.
  public let temporaryPath: String
  private let state = Mutex(false)

  public init(path: String) throws {
    self.path = path
    temporaryPath = try TemporaryFiles.create(beside: path, "cannot be created") { mkdtemp($0) != nil }
    chmod(temporaryPath, 0o777 & ~Umask.value)
  }

  deinit {
    if !state.withLock({ $0 }) {
      TemporaryFiles.delete(temporaryPath)
      TemporaryFiles.remove(temporaryPath)
    }
  }

  /// Gives the folder its name. An empty folder of that name is replaced.
  public func commit() throws {
    Directory.sync(temporaryPath)
    guard rename(temporaryPath, path) == 0 else { throw VPatchError.system(path, "cannot be given its name") }
    state.withLock { $0 = true }
    TemporaryFiles.remove(temporaryPath)
    Directory.sync(Path.parent(path))
  }
}

/// What the user's new files must not allow. It can only be read by setting it, for the whole process: so once, and
/// not on two threads, of which one would take the other's zero for it.
private enum Umask {
  static let value: mode_t = {
    let mask = umask(0)
    umask(mask)
    return mask
  }()
}
