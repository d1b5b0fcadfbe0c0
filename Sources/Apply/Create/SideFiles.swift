import PatchFormat

/// The files beside a directory's checkpoint: configuration, tokenizer, templates.
public enum SideFiles {
  /// Larger files do not travel in a patch.
  public static let maximumSize = 32 << 20

  /// Extensions of weights in other forms. They hold the model that the directory was, not the one it becomes.
  private static let weights = [
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".onnx", ".h5", ".msgpack", ".npz", ".pkl",
  ]

  /// Journals of changes in place hold weights too.
  static func isWeights(_ name: String) -> Bool {
    Journal.isJournalName(name) || weights.contains { name.lowercased().hasSuffix($0) }
  }

  /// What differs between two directories, and what does not travel: files that are too large, and, since a patch
  /// holds plain names alone, those in folders of their own.
  static func differences(_ base: Checkpoint, _ target: Checkpoint) throws -> (
    changed: [Annex.SideFile], leftOut: [String]
  ) {
    guard base.isDirectory, target.isDirectory else { return ([], []) }
    let baseNames = try names(in: base.path)
    let targetNames = try names(in: target.path)
    var changed: [Annex.SideFile] = []
    var leftOut: [String] = []
    let sides = [(base, Set(baseNames.map(\.bytesKey))), (target, Set(targetNames.map(\.bytesKey)))]
    let names = baseNames + targetNames.filter { !sides[0].1.contains($0.bytesKey) }
    for name in names.sorted(by: { $0.precedes($1) }) {
      let files = try sides.map { checkpoint, held in
        held.contains(name.bytesKey) ? try InputFile(path: Path.join(checkpoint.path, name)) : nil
      }
      guard files.allSatisfy({ ($0?.size ?? 0) <= maximumSize }) else {
        leftOut.append(name)
        continue
      }
      let contents = try files.map { file in try file.map { try $0.read(0..<$0.size) } }
      if contents[0] != contents[1] {
        changed.append(Annex.SideFile(name: name, base: contents[0], target: contents[1]))
      }
    }
    for name in Set(try folders(in: base.path) + folders(in: target.path)).sorted(by: { $0.precedes($1) }) {
      if try !isSameFolder(Path.join(base.path, name), Path.join(target.path, name)) { leftOut.append(name + "/") }
    }
    return (changed, leftOut)
  }

  private static func folders(in directory: String) throws -> [String] {
    try Path.entries(of: directory).filter {
      try !$0.hasPrefix(".") && PathKind.of(Path.join(directory, $0), followingLinks: false) == .directory
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
      guard files[0].size <= maximumSize else { return true }
      return try files[0].read(0..<files[0].size) == files[1].read(0..<files[1].size)
    }
  }

  /// The regular files of a directory that may travel.
  private static func names(in directory: String) throws -> [String] {
    try Path.entries(of: directory).filter { name in
      try !name.hasPrefix(".") && Annex.isSideFileName(name) && !isWeights(name)
        && PathKind.of(Path.join(directory, name)) == .file
    }
  }
}
