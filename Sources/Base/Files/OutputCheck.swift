/// Checks whether an output path may be written, so that vpatch never overwrites a user's file by accident. Also
/// removes what a killed command left half-written for that path, and registers the path as a result: once all results
/// have their names, an interrupt no longer ends the process.
package enum OutputCheck {
  /// - Parameters:
  ///   - inputs: files that are read. Writing to one of them is refused.
  ///   - force: an existing regular file may be replaced.
  package static func file(_ path: String, inputs: [InputFile], force: Bool) throws {
    try parent(path)
    switch try PathKind.of(path, followingLinks: false) {
    case .missing:
      guard !path.hasSuffix("/") else {
        throw VPatchError(.refused, path, "is the name of a folder", remedy: "give the name of a file")
      }
      return prepare(path)
    case .symbolicLink:
      throw VPatchError(
        .refused, path, "is a symbolic link; writing through it would change another file",
        remedy: "give another output")
    case .directory: throw VPatchError(.refused, path, "is a directory", remedy: "give the name of a file")
    case .other: throw VPatchError(.refused, path, "is not a regular file", remedy: "give another output")
    case .file: break
    }
    let existing = try FileState.of(path)
    if inputs.contains(where: { $0.identity == existing?.identity }) {
      throw VPatchError(.refused, path, "is an input of this command", remedy: "give another output")
    }
    guard (existing?.linkCount ?? 1) <= 1 else {
      throw VPatchError(.refused, path, "is a file with several hard links", remedy: "give another output")
    }
    guard force else { throw Directory.exists(path) }
    prepare(path)
  }

  /// Requires that the folder is missing or empty.
  package static func directory(_ path: String) throws {
    try parent(path)
    switch try PathKind.of(path, followingLinks: false) {
    case .missing: return prepare(path)
    case .directory:
      guard try Path.entries(of: path).isEmpty else {
        throw VPatchError(.refused, path, "exists and is not empty", remedy: "give another output")
      }
      prepare(path)
    case .symbolicLink:
      throw VPatchError(.refused, path, "is a symbolic link", remedy: "give another output")
    default:
      throw VPatchError(.refused, path, "is a file, but the output is a model directory", remedy: "give another output")
    }
  }

  private static func prepare(_ path: String) {
    TemporaryFiles.expect(result: path)
    // Leftovers that cannot be removed do no harm.
    _ = try? TemporaryFiles.removeAbandoned(in: Path.parent(path), of: [Path.name(path)])
  }

  private static func parent(_ path: String) throws {
    guard path != "-" else {
      throw VPatchError(
        .refused, path, "stands for standard output, which this cannot be written to",
        remedy: "give the name of a file; ./- is a file called -")
    }
    guard !path.isEmpty else { throw VPatchError(.refused, nil, "the output's name is empty", remedy: "give a name") }
    let parent = Path.parent(path)
    guard try PathKind.of(parent) == .directory else {
      throw VPatchError(.refused, path, "is in a folder that does not exist", remedy: "create \(parent) first")
    }
  }
}
