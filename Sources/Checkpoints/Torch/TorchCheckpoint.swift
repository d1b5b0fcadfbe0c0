// The weights that transformers saved before safetensors: pytorch_model.bin in a model's folder, or the shards that
// pytorch_model.bin.index.json names. Also a single file of torch.save with any name.

import Base

enum TorchCheckpoint {
  static let singleName = "pytorch_model.bin"
  static let indexName = "pytorch_model.bin.index.json"

  /// - Throws: `invalid`, `refused`, `io`.
  static func open(file path: String) throws -> AssembledCheckpoint {
    try open([InputFile(path: path)], path, isDirectory: false)
  }

  /// Opens a folder that has one of the two names.
  static func open(folder path: String) throws -> AssembledCheckpoint {
    let indexPath = Path.join(path, indexName)
    guard try PathKind.of(indexPath) != .missing else {
      return try open([InputFile(path: Path.join(path, singleName))], path, isDirectory: true)
    }
    let index = try InputFile(path: indexPath)
    let map = try SafetensorsCheckpoint.weightMap(
      index.contents(limit: SafetensorsHeader.maximumLength), path: indexPath)
    let shards = try Set(map.values).sorted { $0.precedes($1) }.map { name in
      do { return try InputFile(path: Path.join(path, name)) } catch let error as VPatchError {
        throw VPatchError(
          .io, indexPath, "names the shard \"\(name.printable)\", which \(error.reason)",
          remedy: "download the missing shard")
      }
    }
    let checkpoint = try open(shards, path, isDirectory: true, with: [index])
    let held = Set(checkpoint.tensors.map(\.name.bytesKey))
    guard let missing = map.keys.filter({ !held.contains($0) }).sorted().first else { return checkpoint }
    throw VPatchError(.invalid, indexPath, "names the tensor \"\(missing.printable)\", which its shard does not hold")
  }

  private static func open(
    _ files: [InputFile], _ path: String, isDirectory: Bool, with others: [InputFile] = []
  ) throws -> AssembledCheckpoint {
    var (tensors, notTensors) = ([AssembledCheckpoint.Tensor](), [String]())
    var owner: [String: InputFile] = [:]
    for file in files {
      let saved = try TorchFile(file)
      notTensors += saved.others
      for (name, tensor) in saved.tensors {
        guard let info = TensorInfo(name: name, dtype: tensor.dtype, shape: tensor.shape) else {
          throw VPatchError(.invalid, file.path, "holds \"\(name.printable)\", whose size overflows")
        }
        if let other = owner.updateValue(file, forKey: name.bytesKey) {
          throw VPatchError(
            .invalid, path,
            "holds the tensor \"\(name.printable)\" twice, in \"\(Path.name(other.path))\" and \"\(Path.name(file.path))\""
          )
        }
        tensors.append(AssembledCheckpoint.Tensor(info: info, parts: [try saved.part(tensor)]))
      }
    }
    return try AssembledCheckpoint(
      path: path, isDirectory: isDirectory, inputs: files + others, tensors: tensors, values: notTensors)
  }
}
