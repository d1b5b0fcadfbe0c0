import Glibc

extension Path {
  /// The absolute path, with links resolved as far as the path exists.
  package static func absolute(_ path: String) throws -> String {
    // A missing file may be in an existing folder.
    if let resolved = try resolvedIfAny(path) ?? resolvedIfAny(parent(path)).map({ join($0, name(path)) }) {
      return resolved
    }
    guard path.utf8.first != UInt8(ascii: "/"), let here = try resolvedIfAny(".") else { return path }
    return join(here, path)
  }

  /// An absolute path as typed from the current folder, if it is inside it.
  package static func fromHere(_ path: String) -> String {
    guard let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    let here = join(String(cString: folder), "")
    return path.utf8.starts(with: here.utf8) ? String(Substring(path.utf8.dropFirst(here.utf8.count))) : path
  }
}
