import Base

/// Resolves the images of a data file, which are in its folder or below.
///
/// Data files may be untrusted, so other paths are not read.
package struct ImageFolder: Sendable {
  private let folder: Enclosure

  /// - Parameters:
  ///   - path: the data file's.
  ///   - allowsOutside: whether images may be anywhere.
  package init(of path: String, allowsOutside: Bool) {
    folder = Enclosure(Path.parent(path), allowsOutside: allowsOutside)
  }

  /// The path of an image, without symbolic links.
  /// - Parameter name: as in a row.
  /// - Throws: `RowError` if it is missing, not a file, or outside the folder.
  package func path(of name: String) throws -> String {
    let path = name.utf8.first == UInt8(ascii: "/") ? name : Path.join(folder.folder, name)
    let shown = "the image \"\(name.printable)\""
    guard !name.isEmpty, !name.utf8.contains(0) else { throw RowError("has an image with an invalid file name") }
    switch try PathKind.of(path) {
    case .file: break
    case .missing: throw RowError("names \(shown), which is not there")
    case .symbolicLink: throw RowError("names \(shown), which is a broken symbolic link")
    default: throw RowError("names \(shown), which is not a file")
    }
    guard try folder.admits(path) else {
      throw RowError(
        "names \(shown), which is outside of the data file's folder (--allow-outside allows it)")
    }
    return try Path.resolved(path)
  }
}
