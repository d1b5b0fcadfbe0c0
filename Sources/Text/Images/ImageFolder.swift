import Base

/// Where the images of a data file lie: in its folder, or below it.
///
/// A data file may come from anyone, so what it names is not read wherever it leads.
package struct ImageFolder: Sendable {
  private let folder: Enclosure

  /// - Parameters:
  ///   - path: the data file's.
  ///   - allowsOutside: whether images may lie anywhere.
  package init(of path: String, allowsOutside: Bool) {
    folder = Enclosure(Path.parent(path), allowsOutside: allowsOutside)
  }

  /// Where an image is, without any symbolic link.
  /// - Parameter name: as a row has it.
  /// - Throws: `RowError` where it is missing, no file, or outside of the folder.
  package func path(of name: String) throws -> String {
    let path = name.utf8.first == UInt8(ascii: "/") ? name : Path.join(folder.folder, name)
    let shown = "the image \"\(name.printable)\""
    guard !name.isEmpty, !name.utf8.contains(0) else { throw RowError("has an image with a name that no file has") }
    switch try PathKind.of(path) {
    case .file: break
    case .missing: throw RowError("names \(shown), which is not there")
    case .symbolicLink: throw RowError("names \(shown), which is a link that leads nowhere")
    default: throw RowError("names \(shown), which is not a file")
    }
    guard try folder.admits(path) else {
      throw RowError(
        "names \(shown), which is outside of the data file's folder (--allow-outside reads it all the same)")
    }
    return try Path.resolved(path)
  }
}
