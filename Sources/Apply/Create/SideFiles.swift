import Base
import Checkpoints
import PatchFormat

/// The files beside a directory's checkpoint: configuration, tokenizer, templates.
package enum SideFiles {
  /// Extensions of weights in other formats. They contain the original model, not the patched one.
  private static let weights = [
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".onnx", ".h5", ".msgpack", ".npz", ".pkl",
  ]

  /// Journals of changes in place contain weights too.
  package static func isWeights(_ name: String) -> Bool {
    ModelPlace.isJournalName(name) || weights.contains { name.lowercased().hasSuffix($0) }
  }

  /// The differences between two directories, beside their checkpoints. Names in ascending order.
  package struct Differences {
    /// Files that the patch includes.
    package var changed: [Annex.SideFile] = []
    /// Not included: files that are too large, and folders, since a patch holds only plain names.
    package var leftOut: [String] = []
    /// Files that only the base has. A patch does not remove them by default.
    package var missing: [String] = []
    /// The dtype in `config.json` before and after its correction, where tensors were cast.
    package var castConfig: (from: String, to: String)?
  }

  /// - Parameter cast: the dtype that tensors were cast to. It is also written into the target's config.
  /// - Throws: `refused` for a name that is not clearly a file, or that leads out of its folder; `io` for what cannot
  ///   be read.
  package static func differences(
    _ base: any Checkpoint, _ target: any Checkpoint, _ options: CreateOptions, cast: DType? = nil
  ) throws -> Differences {
    var found = Differences()
    guard base.isDirectory, target.isDirectory else {
      guard !options.removeMissingFiles else {
        throw VPatchError(
          .refused, base.isDirectory ? target.path : base.path, "is a single file, without side files",
          remedy: "leave out --remove-missing-files")
      }
      return found
    }
    let sides = [base, target].map { Enclosure($0.path, allowsOutside: options.allowsOutside) }
    let held = try sides.map { try names(in: $0.folder) }
    let heldByTarget = Set(held[1].map(\.bytesKey))
    let heldByBase = Set(held[0].map(\.bytesKey))
    let all = held[0] + held[1].filter { !heldByBase.contains($0.bytesKey) }
    for name in all.sorted(by: { $0.precedes($1) }) {
      if !heldByTarget.contains(name.bytesKey), !options.removeMissingFiles {
        found.missing.append(name)
        continue
      }
      let isHeld = [heldByBase, heldByTarget].map { $0.contains(name.bytesKey) }
      switch try (side(name, isHeld[0], in: sides[0], options), side(name, isHeld[1], in: sides[1], options)) {
      case (.contents(let base), .contents(var target)):
        if let cast, name == ConfigDType.fileName, let text = target,
          let adapted = ConfigDType.adapted(text, base: base, cast: cast)
        {
          target = adapted.text
          found.castConfig = (adapted.from, adapted.to)
        }
        if base != target { found.changed.append(Annex.SideFile(name: name, base: base, target: target)) }
      case (.folder, .folder):
        let paths = sides.map { Path.join($0.folder, name) }
        if try !isSameFolder(paths[0], paths[1]) { found.leftOut.append(name + "/") }
      case (.folder, .contents(nil)), (.contents(nil), .folder): found.leftOut.append(name + "/")
      default: found.leftOut.append(name)
      }
    }
    if let patches = options.sideFilesOf {
      found.leftOut += found.changed.filter { !isMade($0, by: patches) }.map(\.name)
      found.changed.removeAll { !isMade($0, by: patches) }
    }
    return found
  }

  /// What one of the two has under a name.
  private enum Side {
    case folder
    /// Nil where there is no such file.
    case contents([UInt8]?)
    /// Something that a patch does not include.
    case other
  }

  /// - Parameter isHeld: whether the folder listed the name.
  private static func side(
    _ name: String, _ isHeld: Bool, in folder: Enclosure, _ options: CreateOptions
  ) throws -> Side {
    let path = Path.join(folder.folder, name)
    switch try SideFile(name, in: folder) {
    case .missing where isHeld: throw SideFile.changed(path)
    case .missing: return .contents(nil)
    case .folder: return .folder
    case .tooLarge: return .other
    case .contents(let bytes, _): return .contents(bytes)
    case .special where options.sideFilesOf != nil, .outside where options.sideFilesOf != nil: return .other
    case .special(let what):
      throw VPatchError(
        .refused, path, "\(what): it is unclear whether the model has that file",
        remedy: "restore the file, or remove that name")
    case .outside:
      throw VPatchError(
        .refused, path, "is a link that leads out of the model's folder, and its target would be in the patch",
        remedy: "--allow-outside includes it")
    }
  }

  /// Whether one of these patches produces the target's contents of a side file.
  private static func isMade(_ file: Annex.SideFile, by patches: [Patch]) -> Bool {
    patches.contains { patch in
      patch.annex.sideFiles.contains { $0.name.isSame(as: file.name) && $0.target == file.target }
    }
  }

  /// Whether two folders contain the same files, as far as an apply would copy them.
  private static func isSameFolder(_ a: String, _ b: String) throws -> Bool {
    let kinds = try [a, b].map { try PathKind.of($0, followingLinks: false) }
    guard kinds == [.directory, .directory] else { return kinds[0] == kinds[1] }
    let names = try [a, b].map { folder in
      try Path.entries(of: folder).filter { !$0.hasPrefix(".") && !isWeights($0) }
    }
    guard names[0].map(\.bytesKey) == names[1].map(\.bytesKey) else { return false }
    return try names[0].allSatisfy { name in
      let paths = [a, b].map { Path.join($0, name) }
      guard try paths.allSatisfy({ try PathKind.of($0) == .file }) else { return try isSameFolder(paths[0], paths[1]) }
      let files = try paths.map { try InputFile(path: $0) }
      guard files[0].size == files[1].size else { return false }
      guard files[0].size <= SideFile.maximumSize else { return true }
      return try files[0].read(0..<files[0].size) == files[1].read(0..<files[1].size)
    }
  }

  /// The names in a directory that do not belong to the checkpoint: possible side files, and folders.
  private static func names(in directory: String) throws -> [String] {
    try Path.entries(of: directory).filter { name in
      guard !name.hasPrefix(".") else { return false }
      if Annex.isSideFileName(name), !isWeights(name) { return true }
      return try PathKind.of(Path.join(directory, name), followingLinks: false) == .directory
    }
  }
}
