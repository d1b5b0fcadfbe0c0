import CSystem
import Glibc
import Synchronization

/// A file that becomes visible under its final name only when it is whole.
///
/// It is written under a temporary name in the same folder, made durable, and renamed. Dropped without
/// `commit`, it leaves nothing behind. The final name is never opened for writing, so nothing is ever written
/// through a symbolic link or into a file that someone has mapped or hard-linked. It is locked until it is dropped:
/// a temporary file that nobody has locked is one that a killed process left.
public final class OutputFile: Sendable {
  public let path: String
  private let temporaryPath: String
  private let descriptor: CInt
  private let state = Mutex(State.temporary)
  private enum State { case temporary, settled }

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
    // A file system without locks does without: then nobody can tell what a killed process left.
    _ = try? FileLock.take(fd, path)
    // mkstemp makes 0600; what `open` would have made is what a user expects.
    fchmod(fd, 0o666 & ~Umask.value)
  }

  deinit {
    if state.withLock({ $0 == .temporary }) {
      unlink(temporaryPath)
      TemporaryFiles.remove(temporaryPath)
    }
    close(descriptor)
  }

  /// What it is called until it has its name, in the same folder.
  public var temporaryName: String { Path.name(temporaryPath) }

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
    try Descriptor.write(bytes, to: descriptor, at: offset, path)
  }

  public func write(_ bytes: some ContiguousBytesLike, at offset: Int) throws {
    try bytes.withContiguousBytes { try write($0, at: offset) }
  }

  /// Copies a range of another file, in the kernel where it can.
  public func copy(from source: InputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.path, range, to: descriptor, at: offset, path)
  }

  /// Copies a range of another output that is still being written.
  public func copy(from source: OutputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.temporaryPath, range, to: descriptor, at: offset, path)
  }

  /// Lets the disk begin with a range that is complete, while there is still work to do.
  public func beginWriteback(_ range: Range<Int>) {
    vp_begin_writeback(descriptor, off_t(range.lowerBound), off_t(range.count))
  }

  /// Reads back what was written.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try Descriptor.readBack(from: descriptor, into: buffer, at: offset, path)
  }

  /// Makes the bytes durable.
  public func sync() throws { try Descriptor.sync(descriptor, path) }

  /// Makes the bytes durable and gives the file its name. An existing file of that name is replaced, whole.
  public func commit() throws {
    try sync()
    try rename()
    Directory.sync(Path.parent(path))
  }

  /// Several at once, whose names are confirmed to somebody afterwards: all are durable before the first gets its name,
  /// each folder is synced once, and one that cannot be is an error.
  public static func commit(_ files: [OutputFile], threads: Int) throws {
    try Parallel.forEach(files.count, threads: threads) { try files[$0].sync() }
    for file in files { try file.rename() }
    for folder in Set(files.map { Path.parent($0.path) }).sorted() { try Directory.syncOrFail(folder) }
  }

  /// Gives the file its name, which the folder may lose again in a power cut until it is synced.
  func rename() throws {
    guard Glibc.rename(temporaryPath, path) == 0 else { throw VPatchError.system(path, "cannot be given its name") }
    settle()
  }

  /// Leaves the file under its temporary name when this value goes: something else is to give it its name, or has.
  func settle() {
    state.withLock { $0 = .settled }
    TemporaryFiles.remove(temporaryPath)
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
