import Glibc

/// A regular file opened for reading at any offset. It stays the same file if its name is given to another.
package final class InputFile: Sendable {
  package let path: String
  /// What the system said of it when it was opened.
  package let state: FileState
  package let descriptor: CInt

  /// Its length when it was opened.
  package var size: Int { state.size }
  /// Device and inode: which file it is, whatever it is called.
  package var identity: FileIdentity { state.identity }

  /// Follows symbolic links: a snapshot of a model hub consists of them.
  package init(path: String) throws {
    (descriptor, state) = try Descriptor.openFile(path, O_RDONLY, "cannot be opened")
    self.path = path
  }

  deinit { close(descriptor) }

  /// Looks again, after the last reading: nobody wrote to the file since it was opened, and the path still leads to it.
  /// - Throws: `io` where that is not so, or cannot be found out.
  package func requireUnchanged() throws {
    guard try isUnchanged() else { throw Self.changed(path) }
  }

  /// Whether nobody wrote to the file since it was opened, and the path still leads to it.
  package func isUnchanged() throws -> Bool { try hasSameBytes() && FileIdentity.of(path) == identity }

  /// Whether nobody wrote to the file since it was opened, wherever the path leads now.
  package func hasSameBytes() throws -> Bool {
    FileState(try FileStatus.of(descriptor, path)).hasSameBytes(as: state)
  }

  package static func changed(_ path: String) -> VPatchError {
    VPatchError(.io, path, "was changed while it was read", remedy: "run the command again when nothing writes to it")
  }

  /// Keeps others from changing the file where it lies, until this value goes or `endReading`. Many can do so at once.
  /// A file system without locks does without: there one looks again in the end.
  /// - Returns: false where another changes it now.
  package func beginReading() throws -> Bool { try FileLock.take(.reading, descriptor, path, optional: true) }

  package func endReading() { FileLock.release(descriptor) }

  /// Fills `buffer` from `offset` on.
  /// - Throws: `io` if the file has become shorter than that.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < buffer.count {
      let n = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if n < 0 {
        if errno == EINTR { continue }
        throw VPatchError.system(path, "cannot be read")
      }
      guard n > 0 else {
        throw VPatchError(.io, path, "ends at byte \(offset + done): it was cut while it was read")
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

  /// The whole of a file that must not be larger than `limit` bytes.
  package static func contents(of path: String, limit: Int) throws -> [UInt8] {
    try InputFile(path: path).contents(limit: limit)
  }

  /// All of it, where that is not more than `limit` bytes.
  package func contents(limit: Int) throws -> [UInt8] {
    guard size <= limit else {
      throw VPatchError(.invalid, path, "has \(size) bytes; at most \(limit) are expected here")
    }
    return try read(0..<size)
  }
}

extension VPatchError {
  /// An error of the system's last call, in words.
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
  /// Whether both hold the same bytes, as memcmp finds it.
  package func elementsAreEqual(_ other: UnsafeRawBufferPointer) -> Bool {
    count == other.count && (count == 0 || memcmp(baseAddress!, other.baseAddress!, count) == 0)
  }
}
