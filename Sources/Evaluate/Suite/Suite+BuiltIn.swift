import Base

/// Suites that come with vpatch.
extension Suite {
  package static let builtInNames = ["neutral", "everyday"]

  /// Whether a name means a suite that comes with vpatch; a file of that name comes first.
  package static func isBuiltIn(_ name: String) throws -> Bool {
    try builtInNames.contains(name) && PathKind.of(name) != .file
  }

  /// Reads a suite by the name of one that comes with vpatch, or from a file.
  /// - Throws: as `init(path:)`; `io` for a name of neither.
  package init(named name: String, allowsOutside: Bool = false) throws {
    if try Self.isBuiltIn(name) {
      try self.init(path: InstalledFiles.path("suites/\(name)/suite.toml"))
      return
    }
    guard try PathKind.of(name) != .missing || name.contains("/") || name.contains(".") else {
      let near = NearMiss.of(name, among: Self.builtInNames, limit: 1).first
      throw VPatchError(
        .io, name, "is neither a file nor a suite that comes with vpatch",
        remedy: near.map { "did you mean \($0)?" }
          ?? "give a TOML file, or \(Self.builtInNames.joined(separator: " or "))")
    }
    try self.init(path: name, allowsOutside: allowsOutside)
  }
}
