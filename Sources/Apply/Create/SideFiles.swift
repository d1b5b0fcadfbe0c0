import Base
import Checkpoints
import PatchFormat

/// The files beside a directory's checkpoint: configuration, tokenizer, templates.
package enum SideFiles {
  /// Extensions of weights in other forms. They hold the model that the directory was, not the one it becomes.
  private static let weights = [
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".onnx", ".h5", ".msgpack", ".npz", ".pkl",
  ]

  /// Journals of changes in place hold weights too.
  package static func isWeights(_ name: String) -> Bool {
    ModelPlace.isJournalName(name) || weights.contains { name.lowercased().hasSuffix($0) }
  }

  /// How two directories differ beside their checkpoints. Names in ascending order.
  package struct Differences {
    /// What travels.
    package var changed: [Annex.SideFile] = []
    /// What does not: files that are too large, and, since a patch holds plain names alone, folders.
    package var leftOut: [String] = []
    /// What the base alone has, and a patch does not take away unasked.
    package var missing: [String] = []
    /// What `config.json` claimed of the dtype and now claims, where tensors were cast.
    package var castConfig: (from: String, to: String)?
  }

  /// - Parameter cast: the dtype that tensors were cast to; the target's config says so then.
  /// - Throws: `refused` for a name of which it is not sure what stands there, or which leads out of its folder; `io`
  ///   for what cannot be read.
  package static func differences(
    _ base: Checkpoint, _ target: Checkpoint, _ options: CreateOptions, cast: DType? = nil
  ) throws -> Differences {
    var found = Differences()
    guard base.isDirectory, target.isDirectory else {
      guard !options.removeMissingFiles else {
        throw VPatchError(
          .refused, base.isDirectory ? target.path : base.path, "is a single file: no files lie beside it",
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

  /// What one of the two has under a name, without doubt.
  private enum Side {
    case folder
    /// Nil where nothing has the name.
    case contents([UInt8]?)
    /// What does not travel.
    case other
  }

  /// - Parameter isHeld: whether the folder had the name when it was listed.
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
        .refused, path, "\(what): whether the model has that file cannot be said",
        remedy: "bring the file back, or remove that name")
    case .outside:
      throw VPatchError(
        .refused, path, "is a link that leads out of the model's folder, and would travel in the patch",
        remedy: "--allow-outside takes it all the same")
    }
  }

  /// Whether one of these patches makes a side file what the target has.
  private static func isMade(_ file: Annex.SideFile, by patches: [Patch]) -> Bool {
    patches.contains { patch in
      patch.annex.sideFiles.contains { $0.name.isSame(as: file.name) && $0.target == file.target }
    }
  }

  /// Whether two folders hold the same files, as far as these would come along in an apply.
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

  /// The names in a directory that are not the checkpoint's own: what could travel, and folders.
  private static func names(in directory: String) throws -> [String] {
    try Path.entries(of: directory).filter { name in
      guard !name.hasPrefix(".") else { return false }
      if Annex.isSideFileName(name), !isWeights(name) { return true }
      return try PathKind.of(Path.join(directory, name), followingLinks: false) == .directory
    }
  }
}
