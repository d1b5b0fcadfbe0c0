import CSystem
import Glibc
import Synchronization

/// An output file that gets its final name only when it is complete.
///
/// It is written under a temporary name in the same folder, made durable, and renamed. Without `commit` it leaves
/// nothing behind. The final name is never opened for writing, so nothing is written through a symbolic link or into a
/// file that is mapped or hard-linked. It is locked until it is released: a temporary file without a lock was left by a
/// killed process.
package final class OutputFile: Sendable {
  package let path: String
  /// Whether an existing file of that name is replaced. Otherwise it is an error, even if that file appeared meanwhile.
  package let replacing: Bool
  private let temporaryPath: String
  private let descriptor: CInt
  private let state = Mutex(State.temporary)
  private enum State { case temporary, released }

  /// Creates the temporary file. If it will replace a file, it gets that file's owner, permissions and extended
  /// attributes.
  /// - Throws: `io` where the folder is not writable, or the owner cannot be kept.
  package init(path: String, replacing: Bool = false) throws {
    self.path = path
    self.replacing = replacing
    let replaced = replacing ? try FileAttributes.replaced(path) : nil
    var fd: CInt = -1
    temporaryPath = try TemporaryFiles.create(beside: path, "cannot be written") { name in
      // A private file is private from its creation on.
      fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, replaced == nil ? 0o666 : 0o600)
      return fd >= 0 && Self.isOwn(fd, name)
    }
    descriptor = fd
    if let replaced { try FileAttributes.copy(replaced, of: path, to: fd) }
  }

  /// Locks a new file. Before that, another process may take it for abandoned; that process locks it while it removes
  /// it. On a file system without locks this succeeds without a lock, and nothing is removed there.
  private static func isOwn(_ descriptor: CInt, _ path: String) -> Bool {
    var code = EEXIST
    do {
      let isHeld = try FileLock.take(.writing, descriptor, path, optional: true)
      if try isHeld && FileStatus.of(descriptor, path).st_nlink > 0 { return true }
    } catch {
      code = EIO
    }
    unlink(path)
    close(descriptor)
    errno = code
    return false
  }

  deinit {
    if state.withLock({ $0 == .temporary }) { TemporaryFiles.discard(temporaryPath) }
    close(descriptor)
  }

  /// Its name before `commit`, in the same folder.
  package var temporaryName: String { Path.name(temporaryPath) }

  /// Allocates `size` bytes of disk space, so that a full disk is found before the work and not after it.
  package func reserve(_ size: Int) throws {
    try Descriptor.reserve(0..<max(size, 0), of: descriptor, path)
  }

  /// Checks before long work that a file can be written: creates a temporary file of `bytes` bytes in the folder and
  /// removes it.
  /// - Throws: `io` where the folder is not writable or the disk is full.
  package static func requireRoom(for path: String, bytes: Int = 0) throws {
    try OutputFile(path: path).reserve(bytes)
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try Descriptor.write(bytes, to: descriptor, at: offset, path)
  }

  package func write(_ bytes: some ContiguousBytesLike, at offset: Int) throws {
    try bytes.withContiguousBytes { try write($0, at: offset) }
  }

  /// Copies a range of another file, inside the kernel where possible.
  package func copy(from source: InputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.path, range, to: descriptor, at: offset, path)
  }

  /// Copies a range of another output file that is not committed yet.
  package func copy(from source: OutputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.temporaryPath, range, to: descriptor, at: offset, path)
  }

  /// Starts writing a complete range to disk while other work continues.
  package func beginWriteback(_ range: Range<Int>) {
    vp_begin_writeback(descriptor, off_t(range.lowerBound), off_t(range.count))
  }

  /// Reads bytes back that were written before.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try Descriptor.readBack(from: descriptor, into: buffer, at: offset, path)
  }

  /// Makes the written bytes durable (fsync).
  package func sync() throws { try Descriptor.sync(descriptor, path) }

  /// Makes the bytes durable and gives the file its final name.
  /// - Throws: `refused` where the name is taken and must not be replaced; `io`.
  package func commit() throws {
    try inheritAttributes()
    try sync()
    try rename()
    // It is no longer a temporary file, and the next reader must not wait for its lock.
    FileLock.release(descriptor)
    try Directory.syncName(path)
  }

  /// Commits several files durably: all are synced before the first gets its name, and each folder is synced once.
  /// - Throws: `io` where a file or a folder cannot be synced.
  package static func commit(_ files: [OutputFile], threads: Int) throws {
    try Parallel.forEach(files.count, threads: threads) { i in
      try files[i].inheritAttributes()
      try files[i].sync()
    }
    for file in files {
      try file.rename()
      FileLock.release(file.descriptor)
    }
    for folder in Set(files.map { Path.parent($0.path) }).sorted() { try Directory.syncOrFail(folder) }
  }

  /// Takes over the owner, permissions and extended attributes of a file.
  /// - Parameter other: nil for the file that this one replaces, if there is one.
  /// - Throws: `io` where the owner differs and cannot be set. Only that user's processes and root can set it.
  package func inheritAttributes(of other: String? = nil) throws {
    guard other != nil || replacing else { return }
    let source = other ?? path
    if let replaced = try FileAttributes.replaced(source) {
      try FileAttributes.copy(replaced, of: source, to: descriptor)
    }
  }

  /// Takes over the owner and permissions of a file that this one will belong to, as far as this process may set them.
  package func takeOwner(of other: String) throws {
    if let info = try FileStatus.of(other, followingLinks: true) { FileAttributes.share(info, with: descriptor) }
  }

  /// Gives the file its final name. A power cut may undo that until the folder is synced.
  package func rename() throws {
    try TemporaryFiles.uninterruptedRename(of: temporaryPath, to: path) {
      try Directory.rename(temporaryPath, to: path, replacing: replacing)
    }
    state.withLock { $0 = .released }
  }

  /// Keeps the file under its temporary name when this value is released: other code renames it, or has renamed it.
  package func release() {
    state.withLock { $0 = .released }
    TemporaryFiles.forget(temporaryPath)
  }
}
