import PatchFormat

/// Small JSON files in a model's folder.
enum ModelFile {
  /// Nil where the folder has no such file.
  static func read(_ folder: String, _ name: String) throws -> JSON? {
    let path = Path.join(folder, name)
    guard PathKind.of(path) != .missing else { return nil }
    do {
      return try JSON.parse(try InputFile.contents(of: path, limit: 64 << 20))
    } catch let error as JSONError {
      throw VPatchError(.invalid, path, "is not JSON: \(error.reason)")
    }
  }
}
