/// A folder that may come from anyone: what a file in it names, or a link in it leads to, counts as part of it only
/// where it lies inside, unless the user allows more.
///
/// A model hub's cache keeps files elsewhere: a snapshot, `snapshots/<revision>/`, holds links into `blobs/`, which lies
/// beside `snapshots/`. Those are inside.
package struct Enclosure: Sendable {
  package let folder: String
  private let allowsOutside: Bool

  /// - Parameter allowsOutside: whether everything counts as inside.
  package init(_ folder: String, allowsOutside: Bool = false) {
    self.folder = folder
    self.allowsOutside = allowsOutside
  }

  /// Whether what a path leads to may be read. One that leads nowhere may: there is nothing to read.
  /// - Throws: `io` where the system does not say where it leads.
  package func admits(_ path: String) throws -> Bool {
    guard !allowsOutside, let real = try Path.resolvedIfAny(path) else { return true }
    let home = try Path.resolved(folder)
    if Path.isInside(real, home) { return true }
    let snapshots = Path.parent(home)
    return Path.name(snapshots) == "snapshots" && Path.isInside(real, Path.join(Path.parent(snapshots), "blobs"))
  }
}
