import CSystem
import Glibc

/// Complete reads, writes and copies on open files: they repeat system calls until all bytes are done.
enum Descriptor {
  /// open(2), repeated when a signal interrupts it. Negative on failure, with the reason in `errno`.
  package static func open(_ path: String, _ flags: CInt, _ mode: mode_t = 0) -> CInt {
    while true {
      let descriptor = Glibc.open(path, flags, mode)
      if descriptor >= 0 || errno != EINTR { return descriptor }
    }
  }

  /// Allocates disk space for a range, so that a full disk is found before the work and not after it.
  /// - Throws: `io` where there is not enough space.
  package static func reserve(_ range: Range<Int>, of descriptor: CInt, _ path: String) throws {
    guard !range.isEmpty else { return }
    let code = posix_fallocate(descriptor, off_t(range.lowerBound), off_t(range.count))
    // Some file systems cannot allocate in advance. There the writes fail if the disk is full.
    if code != 0, code != EOPNOTSUPP, code != EINVAL {
      throw VPatchError.system(path, "needs \(range.count) bytes", errno: code)
    }
  }

  /// Opens a regular file.
  /// - Parameter failure: the error text if it cannot be opened.
  package static func openFile(_ path: String, _ access: CInt, _ failure: String) throws -> (CInt, FileState) {
    let fd = open(path, access | O_CLOEXEC | O_NONBLOCK)
    guard fd >= 0 else { throw VPatchError.system(path, failure) }
    do {
      let info = try FileStatus.of(fd, path)
      guard info.st_mode & S_IFMT == S_IFREG else { throw VPatchError(.io, path, "is not a regular file") }
      return (fd, FileState(info))
    } catch {
      close(fd)
      throw error
    }
  }

  package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, at offset: Int, _ path: String) throws
  {
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

  /// Reads bytes back that were written before.
  static func readBack(
    from descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer, at offset: Int, _ path: String
  ) throws {
    var done = 0
    while done < buffer.count {
      let n = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if n < 0 && errno == EINTR { continue }
      if n == 0 { throw VPatchError(.io, path, "ends at byte \(offset + done): it was truncated while it was written") }
      guard n > 0 else { throw VPatchError.system(path, "cannot be read back") }
      done += n
    }
  }

  /// Copies a range of one file into another, inside the kernel where possible.
  package static func copy(
    from source: CInt, _ sourcePath: String, _ range: Range<Int>, to target: CInt, at offset: Int, _ path: String
  ) throws {
    var from = off_t(range.lowerBound)
    var to = off_t(offset)
    while from < off_t(range.upperBound) {
      let n = vp_copy_file_range(source, &from, target, &to, range.upperBound - Int(from))
      if n > 0 { continue }
      if n == 0 { throw VPatchError(.io, sourcePath, "ends at byte \(from): it was truncated while it was read") }
      switch errno {
      case EINTR: continue
      case EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EBADF:
        return try copyByHand(from: source, sourcePath, Int(from)..<range.upperBound, to: target, at: Int(to), path)
      default: throw VPatchError.system(path, "cannot be written")
      }
    }
  }

  private static func copyByHand(
    from source: CInt, _ sourcePath: String, _ range: Range<Int>, to target: CInt, at offset: Int, _ path: String
  ) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(1 << 20, max(range.count, 1)), alignment: 64)
    defer { buffer.deallocate() }
    var position = range.lowerBound
    while position < range.upperBound {
      let n = pread(source, buffer.baseAddress, min(buffer.count, range.upperBound - position), off_t(position))
      if n < 0 && errno == EINTR { continue }
      if n == 0 { throw VPatchError(.io, sourcePath, "ends at byte \(position): it was truncated while it was read") }
      guard n > 0 else { throw VPatchError.system(sourcePath, "cannot be read") }
      let piece = UnsafeRawBufferPointer(rebasing: buffer[..<n])
      try write(piece, to: target, at: offset + position - range.lowerBound, path)
      position += n
    }
  }

  package static func sync(_ descriptor: CInt, _ path: String) throws {
    while fsync(descriptor) != 0 {
      if errno != EINTR { throw VPatchError.system(path, "cannot be made durable") }
    }
  }
}
