// A folder that torch.distributed.checkpoint writes: `.metadata`, and files of the ranks (`__0_0.distcp`, …). Each part
// of a tensor is a whole file of torch.save, one behind the other.

import Base

/// Tensors that several ranks saved in parts.
enum DistributedCheckpoint {
  static let suffix = ".distcp"

  /// The folder in which a distributed checkpoint is: the given one, or the one that the Trainer of transformers and
  /// accelerate make in it. Nil where there is none.
  static func folder(in path: String) throws -> String? {
    if try PathKind.of(Path.join(path, DistributedMetadata.fileName)) != .missing { return path }
    let inner = try Path.entries(of: path, skippingUndecodable: true).filter { name in
      try (name.hasPrefix("pytorch_model_fsdp_") || name.isSame(as: "model_fsdp_0"))
        && PathKind.of(Path.join(path, name)) == .directory
    }
    return inner.count == 1 ? try folder(in: Path.join(path, inner[0])) : nil
  }

  /// Lets PyTorch read what vpatch does not, and write one file.
  static func remedy(_ folder: String) -> String {
    let word = Path.shellWord(folder)
    return
      "gather it with PyTorch, and give the file: python3 -m torch.distributed.checkpoint.format_utils dcp_to_torch "
      + "\(word) \(Path.shellWord(folder + ".pt"))"
  }

  /// - Throws: `invalid`, `refused`, `io`.
  static func open(folder path: String) throws -> AssembledCheckpoint {
    let metadata = try DistributedMetadata(folder: path)
    let names = Set(metadata.tensors.flatMap { $0.chunks.map(\.place.file) }).sorted { $0.precedes($1) }
    let files = Dictionary(
      uniqueKeysWithValues: try names.map { name in
        do { return (name, try InputFile(path: Path.join(path, name))) } catch let error as VPatchError {
          throw VPatchError(
            .io, Path.join(path, DistributedMetadata.fileName), "names \"\(name.printable)\", which \(error.reason)",
            remedy: "copy the files of all ranks into the folder")
        }
      })
    if let first = names.first.flatMap({ files[$0] }), try FileForm.of(first) == .safetensors {
      return try ShardedSafetensors.open(names.map { files[$0]! }, path, values: metadata.others)
    }
    // Nothing in a part says which tensor it belongs to, so two that lead to the same bytes are an error here.
    var used: Set<DistributedMetadata.Place> = []
    for tensor in metadata.tensors {
      guard let twice = tensor.chunks.first(where: { !used.insert($0.place).inserted }) else { continue }
      throw VPatchError(
        .invalid, Path.join(path, DistributedMetadata.fileName),
        "places two parts, one of them of \"\(tensor.name.printable)\", at byte \(twice.place.offset) of "
          + "\(twice.place.file)", remedy: "copy the whole checkpoint again")
    }
    let tensors = try metadata.tensors.map { tensor in
      guard let info = TensorInfo(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape) else {
        throw VPatchError(.invalid, path, "has \"\(tensor.name.printable)\", whose size overflows")
      }
      return AssembledCheckpoint.Tensor(
        info: info, parts: try tensor.chunks.map { try part($0, of: tensor, in: files[$0.place.file]!, path) })
    }
    guard !tensors.isEmpty else {
      throw VPatchError(.refused, path, "holds no tensors", remedy: "give the folder of the model's checkpoint")
    }
    return try AssembledCheckpoint(
      path: path, isDirectory: false, inputs: names.map { files[$0]! }, tensors: tensors, mayLackUnchanged: true,
      values: metadata.others)
  }

  private static func part(
    _ chunk: DistributedMetadata.Chunk, of tensor: DistributedMetadata.Tensor, in file: InputFile, _ folder: String
  ) throws -> AssembledCheckpoint.Part {
    let (start, length) = (chunk.place.offset, chunk.place.length)
    guard start <= file.size, length <= file.size - start else {
      throw VPatchError(
        .invalid, file.path,
        "ends at byte \(file.size), within a part of \"\(tensor.name.printable)\": was it cut short?",
        remedy: "copy it again")
    }
    let archive = try TorchArchive(file, start..<start + length)
    try archive.requireLittleEndian()
    let value = try TorchFile.load(try archive.contents(of: "data.pkl", limit: 1 << 16), file)
    let stored: TorchTensor?
    do { stored = try TorchTensor(value) } catch let refusal as TorchTensor.Refusal {
      throw VPatchError(
        .refused, file.path, "has a part of \"\(tensor.name.printable)\" that \(refusal.reason)", remedy: remedy(folder)
      )
    }
    guard let stored, stored.shape == chunk.sizes, stored.dtype == tensor.dtype else {
      throw VPatchError(
        .invalid, file.path,
        "has another tensor where \(DistributedMetadata.fileName) places a part of "
          + "\"\(tensor.name.printable)\": are the files of one save?", remedy: "copy the whole checkpoint again")
    }
    return AssembledCheckpoint.Part(
      bytes: try archive.storage(of: stored, in: file), source: stored.box, offsets: chunk.offsets, sizes: chunk.sizes)
  }
}
