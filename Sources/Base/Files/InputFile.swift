import Glibc

/// A regular file opened for reading at any offset. It remains the same file if another one gets its name.
package final class InputFile: Sendable {
  package let path: String
  /// Its status when it was opened.
  package let state: FileState
  package let descriptor: CInt

  /// Length in bytes when it was opened.
  package var size: Int { state.size }
  /// Device and inode: identifies the file independently of its name.
  package var identity: FileIdentity { state.identity }

  /// Follows symbolic links, which a snapshot of a model hub consists of.
  package init(path: String) throws {
    (descriptor, state) = try Descriptor.openFile(path, O_RDONLY, "cannot be opened")
    self.path = path
  }

  deinit { close(descriptor) }

  /// Checks after the last read that the file was not written to since it was opened, and that the path still leads to
  /// it.
  /// - Throws: `io` where the file was changed or cannot be examined.
  package func requireUnchanged() throws {
    guard try isUnchanged() else { throw Self.changed(path) }
  }

  /// Whether the file was not written to since it was opened, and the path still leads to it.
  package func isUnchanged() throws -> Bool { try hasSameBytes() && FileIdentity.of(path) == identity }

  /// Whether the file was not written to since it was opened, wherever the path leads now.
  package func hasSameBytes() throws -> Bool {
    FileState(try FileStatus.of(descriptor, path)).hasSameBytes(as: state)
  }

  package static func changed(_ path: String) -> VPatchError {
    VPatchError(.io, path, "was changed while it was read", remedy: "run the command again when nothing writes to it")
  }

  /// Locks the file against changes in place, until this value is released or `endReading`. Many readers can hold the
  /// lock. A file system without locks is no error: there only the final check for changes protects.
  /// - Returns: false where another process is changing the file.
  package func beginReading() throws -> Bool { try FileLock.take(.reading, descriptor, path, optional: true) }

  package func endReading() { FileLock.release(descriptor) }

  /// Fills `buffer` with the bytes from `offset` on.
  /// - Throws: `io` where the file has become too short for that.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < buffer.count {
      let n = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if n < 0 {
        if errno == EINTR { continue }
        throw VPatchError.system(path, "cannot be read")
      }
      guard n > 0 else {
        throw VPatchError(.io, path, "ends at byte \(offset + done): it was truncated while it was read")
      }
      done += n
    }
  }

  package func read(_ range: Range<Int>) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
      count = range.count
    }
  }

  /// The contents of a file of at most `limit` bytes.
  /// - Throws: `invalid` for a larger file; `io`.
  package static func contents(of path: String, limit: Int) throws -> [UInt8] {
    try InputFile(path: path).contents(limit: limit)
  }

  /// The contents, if they are at most `limit` bytes.
  /// - Throws: `invalid` for a larger file; `io`.
  package func contents(limit: Int) throws -> [UInt8] {
    guard size <= limit else {
      throw VPatchError(.invalid, path, "has \(size) bytes; the limit is \(limit)")
    }
    return try read(0..<size)
  }
}

extension VPatchError {
  /// An `io` error with the text of `errno`.
  package static func system(
    _ path: String?, _ what: String, remedy: String? = nil, errno code: CInt = errno
  ) -> VPatchError {
    var remedy = remedy
    switch code {
    case _ where remedy != nil: break
    case ENOSPC, EDQUOT: remedy = "free some space or write to another disk"
    case EACCES, EPERM, EROFS: remedy = "check the permissions"
    default: break
    }
    return VPatchError(.io, path, "\(what): \(String(cString: strerror(code)))", remedy: remedy)
  }
}

extension UnsafeRawBufferPointer {
  /// Whether both hold the same bytes (memcmp).
  package func elementsAreEqual(_ other: UnsafeRawBufferPointer) -> Bool {
    count == other.count && (count == 0 || memcmp(baseAddress!, other.baseAddress!, count) == 0)
  }
}
