import PatchFormat

/// The files beside a directory's checkpoint: configuration, tokenizer, templates.
public enum SideFiles {
  /// Larger files do not travel in a patch.
  public static let maximumSize = 32 << 20

  /// Extensions of weights in other forms. They hold the model that the directory was, not the one it becomes.
  private static let weights = [
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".onnx", ".h5", ".msgpack", ".npz", ".pkl",
  ]

  static func isWeights(_ name: String) -> Bool { weights.contains { name.lowercased().hasSuffix($0) } }

  /// What differs between two directories, and what would, but is too large to travel.
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
    return (changed, leftOut)
  }

  /// The regular files of a directory that may travel.
  private static func names(in directory: String) throws -> [String] {
    try Path.entries(of: directory).filter { name in
      !name.hasPrefix(".") && Annex.isSideFileName(name) && !isWeights(name)
        && PathKind.of(Path.join(directory, name)) == .file
    }
  }
}
