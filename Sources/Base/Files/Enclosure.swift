/// An untrusted folder. A file that is named in it, or that a link in it leads to, is only read if it lies inside the
/// folder, unless the user allows more.
///
/// In a model hub's cache a snapshot, `snapshots/<revision>/`, holds links into `blobs/`, which lies beside
/// `snapshots/`. Those files count as inside.
package struct Enclosure: Sendable {
  package let folder: String
  private let allowsOutside: Bool

  /// - Parameter allowsOutside: whether every path counts as inside.
  package init(_ folder: String, allowsOutside: Bool = false) {
    self.folder = folder
    self.allowsOutside = allowsOutside
  }

  /// Whether the file at a path may be read. True for a link to nothing: there is nothing to read.
  /// - Throws: `io` where the path cannot be resolved.
  package func admits(_ path: String) throws -> Bool {
    guard !allowsOutside, let real = try Path.resolvedIfAny(path) else { return true }
    let home = try Path.resolved(folder)
    if Path.isInside(real, home) { return true }
    let snapshots = Path.parent(home)
    return Path.name(snapshots) == "snapshots" && Path.isInside(real, Path.join(Path.parent(snapshots), "blobs"))
  }
}
