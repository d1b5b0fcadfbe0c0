import Glibc

/// A regular file opened for reading at any offset. It stays the same file if its name is given to another.
public final class InputFile: Sendable {
  public let path: String
  /// Its length when it was opened.
  public let size: Int
  /// Device and inode: who it is, whatever it is called.
  public let identity: FileIdentity
  let descriptor: CInt

  /// Follows symbolic links: a snapshot of a model hub consists of them.
  public init(path: String) throws {
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard fd >= 0 else { throw VPatchError.system(path, "cannot be opened") }
    var info = stat()
    guard fstat(fd, &info) == 0 else {
      let error = VPatchError.system(path, "cannot be examined")
      close(fd)
      throw error
    }
    guard info.st_mode & S_IFMT == S_IFREG else {
      close(fd)
      throw VPatchError(.io, path, "is not a regular file")
    }
    self.path = path
    self.size = Int(info.st_size)
    self.identity = FileIdentity(device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
    self.descriptor = fd
  }

  deinit { close(descriptor) }

  /// Fills `buffer` from `offset` on.
  /// - Throws: `io` if the file has become shorter than that.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
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

  public func read(_ range: Range<Int>) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
      count = range.count
    }
  }

  /// The whole of a file that must not be larger than `limit` bytes.
  public static func contents(of path: String, limit: Int) throws -> [UInt8] {
    let file = try InputFile(path: path)
    guard file.size <= limit else {
      throw VPatchError(.invalid, path, "has \(file.size) bytes; at most \(limit) are expected here")
    }
    return try file.read(0..<file.size)
  }
}

/// Which file this is, whatever it is called.
public struct FileIdentity: Hashable, Sendable {
  public let device: UInt64
  public let inode: UInt64

  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

extension VPatchError {
  /// An error of the system's last call, in words.
  public static func system(_ path: String?, _ what: String, errno code: CInt = errno) -> VPatchError {
    var remedy: String?
    switch code {
    case ENOSPC, EDQUOT: remedy = "free some space or write to another disk"
    case EACCES, EPERM, EROFS: remedy = "check the permissions"
    default: break
    }
    return VPatchError(.io, path, "\(what): \(String(cString: strerror(code)))", remedy: remedy)
  }
}

/// What stands at a path.
public enum PathKind: Sendable, Equatable {
  case missing, file, directory, symbolicLink, other

  /// - Parameter followingLinks: whether a symbolic link counts as what it points to.
  public static func of(_ path: String, followingLinks: Bool = true) -> PathKind {
    var info = stat()
    guard (followingLinks ? stat(path, &info) : lstat(path, &info)) == 0 else { return .missing }
    switch info.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .directory
    case S_IFLNK: return .symbolicLink
    default: return .other
    }
  }
}

/// Pieces of paths, by text alone.
public enum Path {
  public static func join(_ directory: String, _ name: String) -> String {
    directory.utf8.last == slash ? directory + name : directory + "/" + name
  }

  /// The folder that holds what the path names.
  public static func parent(_ path: String) -> String {
    let trimmed = trimming(path)
    guard let last = trimmed.lastIndex(of: slash) else { return "." }
    return last == trimmed.startIndex ? "/" : String(Substring(trimmed[..<last]))
  }

  public static func name(_ path: String) -> String {
    let trimmed = trimming(path)
    return String(Substring(trimmed.lastIndex(of: slash).map { trimmed[trimmed.index(after: $0)...] } ?? trimmed))
  }

  // By bytes: a mark behind a slash makes both one character, which is no slash.
  private static let slash = UInt8(ascii: "/")

  /// Without slashes at its end, which would follow a symbolic link there.
  static func trimmed(_ path: String) -> String { String(Substring(trimming(path))) }

  /// What a path leads to, without any symbolic link in it; the path itself where it leads nowhere.
  public static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  private static func trimming(_ path: String) -> Substring.UTF8View {
    var trimmed = Substring(path).utf8
    while trimmed.count > 1, trimmed.last == slash { trimmed.removeLast() }
    return trimmed
  }

  /// The names in a folder, ascending.
  public static func entries(of directory: String) throws -> [String] {
    guard let handle = opendir(directory) else { throw VPatchError.system(directory, "cannot be listed") }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
        String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether both hold the same bytes, as memcmp finds it.
  public func elementsAreEqual(_ other: UnsafeRawBufferPointer) -> Bool {
    count == other.count && (count == 0 || memcmp(baseAddress!, other.baseAddress!, count) == 0)
  }
}
