import Glibc

/// Operations on paths as text, resolving of links, and listing of folders.
package enum Path {
  package static func join(_ directory: String, _ name: String) -> String {
    directory.utf8.last == slash ? directory + name : directory + "/" + name
  }

  /// The folder that contains what the path names.
  package static func parent(_ path: String) -> String {
    let trimmed = trimming(path)
    guard let last = trimmed.lastIndex(of: slash) else { return "." }
    return last == trimmed.startIndex ? "/" : String(Substring(trimmed[..<last]))
  }

  package static func name(_ path: String) -> String {
    let trimmed = trimming(path)
    return String(Substring(trimmed.lastIndex(of: slash).map { trimmed[trimmed.index(after: $0)...] } ?? trimmed))
  }

  // By bytes: a combining mark behind a slash forms one Character with it, which is not "/".
  private static let slash = UInt8(ascii: "/")

  /// Without trailing slashes, with which the system would follow a symbolic link.
  package static func trimmed(_ path: String) -> String { String(Substring(trimming(path))) }

  private static func trimming(_ path: String) -> Substring.UTF8View {
    var trimmed = Substring(path).utf8
    while trimmed.count > 1, trimmed.last == slash { trimmed.removeLast() }
    return trimmed
  }

  /// The path with all symbolic links resolved; the path itself if it leads nowhere.
  /// - Throws: `io` where it cannot be examined.
  package static func resolved(_ path: String) throws -> String { try resolvedIfAny(path) ?? path }

  /// Like `resolved`, but nil if the path leads nowhere.
  package static func resolvedIfAny(_ path: String) throws -> String? {
    while true {
      if let real = realpath(path, nil) {
        defer { free(real) }
        return String(cString: real)
      }
      if errno == EINTR { continue }
      if errno == ENOENT { return nil }
      throw VPatchError.system(path, "cannot be examined")
    }
  }

  /// Whether a path is a folder or lies below it. Both must be free of symbolic links.
  package static func isInside(_ path: String, _ folder: String) -> Bool {
    path.utf8.starts(with: join(folder, "").utf8)
  }

  /// The names in a folder, in ascending order.
  /// - Parameter skippingUndecodable: skip names that are not UTF-8, where only names of a known form matter.
  /// - Throws: `io` where the folder cannot be listed completely; `invalid` for a name that is not UTF-8, which no file
  ///   that vpatch writes could refer to.
  package static func entries(of directory: String, skippingUndecodable: Bool = false) throws -> [String] {
    guard let handle = opendir(directory) else { throw VPatchError.system(directory, "cannot be listed") }
    defer { closedir(handle) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(handle) else {
        if errno == EINTR { continue }
        guard errno == 0 else { throw VPatchError.system(directory, "cannot be listed") }
        break
      }
      let bytes = withUnsafeBytes(of: entry.pointee.d_name) { raw in raw.prefix { $0 != 0 }.map { $0 } }
      guard let name = String(validating: bytes, as: UTF8.self) else {
        if skippingUndecodable { continue }
        throw VPatchError(
          .invalid, directory, "holds a file whose name is not UTF-8: \"\(String(decoding: bytes, as: UTF8.self))\"",
          remedy: "rename that file")
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// A path quoted for a shell, if necessary.
  package static func shellWord(_ path: String) -> String {
    let isPlain = path.utf8.allSatisfy { byte in
      byte >= 0x80 || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
        || "/._-+,:@%=".utf8.contains(byte)
    }
    return isPlain && !path.isEmpty ? path : "'" + path.replacing("'", with: "'\\''") + "'"
  }
}
