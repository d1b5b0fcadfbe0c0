import CSystem
import Glibc
import Synchronization

/// A file that becomes visible under its final name only when it is whole.
///
/// It is written under a temporary name in the same folder, made durable, and renamed. Dropped without
/// `commit`, it leaves nothing behind. The final name is never opened for writing, so nothing is ever written
/// through a symbolic link or into a file that someone has mapped or hard-linked. It is locked until it is dropped:
/// a temporary file that nobody has locked is one that a killed process left.
package final class OutputFile: Sendable {
  package let path: String
  /// Whether a file that has the name already is replaced; else that is an error, also where it came meanwhile.
  package let replacing: Bool
  private let temporaryPath: String
  private let descriptor: CInt
  private let state = Mutex(State.temporary)
  private enum State { case temporary, released }

  /// Creates the temporary file. One that is to replace a file has its owner, permissions and extended attributes.
  /// - Throws: `io` where the folder cannot be written to, or the owner cannot be kept.
  package init(path: String, replacing: Bool = false) throws {
    self.path = path
    self.replacing = replacing
    let replaced = replacing ? try FileAttributes.replaced(path) : nil
    var fd: CInt = -1
    temporaryPath = try TemporaryFiles.create(beside: path, "cannot be written") { name in
      // What is to be private is so from its first moment.
      fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, replaced == nil ? 0o666 : 0o600)
      return fd >= 0 && Self.isOwn(fd, name)
    }
    descriptor = fd
    if let replaced { try FileAttributes.copy(replaced, of: path, to: fd) }
  }

  /// Locks a new file. Until it is locked another process may take it for one that was left behind: that holds it while it
  /// removes it. A file system without locks does without; then nothing is removed there.
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

  /// What it is called until it has its name, in the same folder.
  package var temporaryName: String { Path.name(temporaryPath) }

  /// Reserves `size` bytes, so that a full disk is found before the work and not after it.
  package func reserve(_ size: Int) throws {
    try Descriptor.reserve(0..<max(size, 0), of: descriptor, path)
  }

  /// Whether a file could be written, to be found before long work and not after it: the folder takes a temporary file,
  /// and the disk has room for so many bytes. Nothing is left of it.
  package static func requireRoom(for path: String, bytes: Int = 0) throws {
    try OutputFile(path: path).reserve(bytes)
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try Descriptor.write(bytes, to: descriptor, at: offset, path)
  }

  package func write(_ bytes: some ContiguousBytesLike, at offset: Int) throws {
    try bytes.withContiguousBytes { try write($0, at: offset) }
  }

  /// Copies a range of another file, in the kernel where it can.
  package func copy(from source: InputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.path, range, to: descriptor, at: offset, path)
  }

  /// Copies a range of another output that is still being written.
  package func copy(from source: OutputFile, _ range: Range<Int>, at offset: Int) throws {
    try Descriptor.copy(from: source.descriptor, source.temporaryPath, range, to: descriptor, at: offset, path)
  }

  /// Lets the disk begin with a range that is complete, while there is still work to do.
  package func beginWriteback(_ range: Range<Int>) {
    vp_begin_writeback(descriptor, off_t(range.lowerBound), off_t(range.count))
  }

  /// Reads back what was written.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try Descriptor.readBack(from: descriptor, into: buffer, at: offset, path)
  }

  /// Makes the bytes durable.
  package func sync() throws { try Descriptor.sync(descriptor, path) }

  /// Makes the bytes durable and gives the file its name.
  /// - Throws: `refused` where a file has that name that must not be replaced; `io`.
  package func commit() throws {
    try inheritAttributes()
    try sync()
    try rename()
    // It is no temporary file any more, and who reads it next need not wait.
    FileLock.release(descriptor)
    try Directory.syncName(path)
  }

  /// Several at once, whose names are confirmed to somebody afterwards: all are durable before the first gets its name,
  /// each folder is synced once, and one that cannot be is an error.
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

  /// Takes the owner, the permissions and the extended attributes of a file.
  /// - Parameter other: nil for the file that this one is to replace, if there is one.
  /// - Throws: `io` where that file has another owner, which only its own processes and root's can give.
  package func inheritAttributes(of other: String? = nil) throws {
    guard other != nil || replacing else { return }
    let source = other ?? path
    if let replaced = try FileAttributes.replaced(source) {
      try FileAttributes.copy(replaced, of: source, to: descriptor)
    }
  }

  /// Takes the owner and the permissions of a file that it will belong to, as far as this process may give them.
  package func takeOwner(of other: String) throws {
    if let info = try FileStatus.of(other, followingLinks: true) { FileAttributes.share(info, with: descriptor) }
  }

  /// Gives the file its name, which the folder may lose again in a power cut until it is synced.
  package func rename() throws {
    try TemporaryFiles.uninterruptedRename(of: temporaryPath, to: path) {
      try Directory.rename(temporaryPath, to: path, replacing: replacing)
    }
    state.withLock { $0 = .released }
  }

  /// Leaves the file under its temporary name when this value goes: something else is to give it its name, or has.
  package func release() {
    state.withLock { $0 = .released }
    TemporaryFiles.forget(temporaryPath)
  }
}
