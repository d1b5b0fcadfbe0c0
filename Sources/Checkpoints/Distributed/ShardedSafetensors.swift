// What HuggingFaceStorageWriter of PyTorch writes with save_distributed=True: a safetensors file a rank,
// shard-00001-model-00001-of-00001.safetensors, with the parts of tensors that the rank holds under the tensors' names.
// In its metadata, DCP_SHARDING_INFO has as JSON where each part begins: {name: {"saved_offsets": [n, …]}}. Nothing
// says how large the whole is: it ends where the last part ends.
// https://github.com/pytorch/pytorch/blob/v2.13.0/torch/distributed/checkpoint/hf_storage.py

import Base

enum ShardedSafetensors {
  static let metadataKey = "DCP_SHARDING_INFO"

  /// The files of the folder that hold parts, in ascending order of name; none where it is no such folder.
  static func files(in path: String) throws -> [String] {
    try Path.entries(of: path, skippingUndecodable: true).filter { name in
      name.wholeMatch(of: /shard-[0-9]{5,}-model-[0-9]{5,}-of-[0-9]{5,}\.safetensors/) != nil
    }.sorted { $0.precedes($1) }
  }

  /// - Throws: `invalid`, `refused`, `io`.
  static func open(folder path: String) throws -> AssembledCheckpoint {
    let names = try files(in: path)
    try requireAllShards(names, path)
    return try open(names.map { try InputFile(path: Path.join(path, $0)) }, path)
  }

  /// Shards are numbered from 1, and so are the files of each shard.
  private static func requireAllShards(_ names: [String], _ path: String) throws {
    let numbers = Set(names.compactMap { Int($0.split(separator: "-")[1]) }).sorted()
    guard let wrong = zip(1..., numbers).first(where: { $0 != $1 }) else { return }
    throw VPatchError(
      .invalid, path, "has no file of shard \(wrong.0), and one of shard \(wrong.1)",
      remedy: "copy the files of all ranks into the folder")
  }

  private struct Part {
    let info: TensorInfo
    let offsets: [Int]
    let bytes: CheckedBytes
  }

  static func open(_ files: [InputFile], _ path: String, values: [String] = []) throws -> AssembledCheckpoint {
    var (parts, order) = ([String: [Part]](), [String]())
    for file in files {
      let header = try SafetensorsHeader(of: file)
      let offsets = try offsets(header, file)
      for tensor in header.tensors {
        guard let first = offsets[tensor.info.name.bytesKey], first.count == tensor.info.shape.count else {
          throw VPatchError(
            .invalid, file.path, "does not say which part of \"\(tensor.info.name.printable)\" it holds",
            remedy: "copy it again, or save it again")
        }
        let start = header.dataStart + tensor.offset
        if parts[tensor.info.name.bytesKey] == nil { order.append(tensor.info.name.bytesKey) }
        parts[tensor.info.name.bytesKey, default: []].append(
          Part(
            info: tensor.info, offsets: first, bytes: CheckedBytes(file, start..<start + tensor.info.byteCount, crc: 0))
        )
      }
    }
    return try AssembledCheckpoint(
      path: path, isDirectory: false, inputs: files, tensors: order.map { try whole(parts[$0]!, path) },
      mayLackUnchanged: true,
      values: values)
  }

  private static func whole(_ parts: [Part], _ path: String) throws -> AssembledCheckpoint.Tensor {
    let first = parts[0].info
    var shape = first.shape
    for part in parts {
      guard part.info.dtype == first.dtype, part.info.shape.count == shape.count else {
        throw VPatchError(
          .invalid, path, "has parts of \"\(first.name.printable)\" with different dtypes or numbers of axes",
          remedy: "copy the whole checkpoint again, or save it again")
      }
      for axis in shape.indices { shape[axis] = max(shape[axis], part.offsets[axis] + part.info.shape[axis]) }
    }
    guard let info = TensorInfo(name: first.name, dtype: first.dtype, shape: shape) else {
      throw VPatchError(.invalid, path, "has \"\(first.name.printable)\", whose size overflows")
    }
    return AssembledCheckpoint.Tensor(
      info: info,
      parts: parts.map {
        AssembledCheckpoint.Part(
          bytes: $0.bytes, source: TensorBox(shape: $0.info.shape), offsets: $0.offsets, sizes: $0.info.shape)
      })
  }

  /// Name (as `bytesKey`) → where its part begins.
  private static func offsets(_ header: SafetensorsHeader, _ file: InputFile) throws -> [String: [Int]] {
    let text = header.metadata.first { $0.key.isSame(as: metadataKey) }?.value.string
    guard let text, let members = try? JSON.parse(Array(text.utf8)).object else {
      throw VPatchError(
        .invalid, file.path, "has no valid \(metadataKey), which says which parts of tensors it holds",
        remedy: "copy it again, or save it again")
    }
    return members.reduce(into: [:]) { map, member in
      let offsets = member.value["saved_offsets"]?.array?.map(\.int)
      let known = offsets?.compactMap { $0 }.filter { (0...Limits.number).contains($0) }
      if known?.count == offsets?.count { map[member.key.bytesKey] = known }
    }
  }
}
