// What torch.distributed.checkpoint (DCP) writes into `.metadata`: a pickle of
//
//   Metadata(state_dict_metadata: {name: TensorStorageMetadata | BytesStorageMetadata},
//            storage_data: {MetadataIndex: _StorageInfo}, planner_data, storage_meta, version)
//   TensorStorageMetadata(properties: TensorProperties, size: torch.Size, chunks: [ChunkStorageMetadata])
//   TensorProperties: a tuple (dtype, layout, requires_grad, memory format, pin_memory)
//   ChunkStorageMetadata(offsets: torch.Size, sizes: torch.Size): a part of the tensor
//   MetadataIndex(fqn: str, offset: torch.Size | None, index: int | None): which part of which tensor
//   _StorageInfo(relative_path: str, offset: int, length: int, transform_descriptors: [str] | None): where it is
//
// The classes are dataclasses, pickled as an object without arguments and a dictionary as its state. Nested state dicts
// are flattened: their keys are joined by dots, and planner_data has the parts. Values that are no tensors have
// BytesStorageMetadata. https://github.com/pytorch/pytorch/blob/v2.13.0/torch/distributed/checkpoint/metadata.py

import Base

/// The contents of a distributed checkpoint: its tensors, and where the ranks put their parts.
struct DistributedMetadata {
  struct Tensor {
    let name: String
    let dtype: DType
    let shape: [Int]
    let chunks: [Chunk]
  }

  /// A part of a tensor, without those that have no element.
  struct Chunk {
    let offsets: [Int]
    let sizes: [Int]
    let place: Place
  }

  /// Bytes in a file of the folder.
  struct Place: Hashable {
    let file: String
    let offset: Int
    let length: Int
  }

  let tensors: [Tensor]
  /// Names of values that are no tensors.
  let others: [String]

  static let fileName = ".metadata"
  /// That of a checkpoint of 100,000 parts has 30 MB.
  private static let limit = 1 << 28

  private static let module = "torch.distributed.checkpoint.metadata"
  private static let fileSystem = "torch.distributed.checkpoint.filesystem"
  private static let storageInfo = PickleGlobal(fileSystem, "_StorageInfo")
  /// Where older versions of PyTorch have TensorProperties.
  private static let olderModule = "torch.distributed._shard.sharded_tensor.metadata"

  private static let known: Set<PickleGlobal> = {
    let classes = [
      "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "TensorProperties", "ChunkStorageMetadata",
      "MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
    ]
    var all = Set(classes.map { PickleGlobal(module, $0) } + TorchDType.named.keys.map { PickleGlobal("torch", $0) })
    all.formUnion([
      storageInfo, PickleGlobal(olderModule, "TensorProperties"), PickleGlobal(olderModule, "MEM_FORMAT_ENCODING"),
      PickleGlobal("torch", "Size"), layout, PickleGlobal("collections", "OrderedDict"),
    ])
    // The folder's path, which Python 3.13 has in another module.
    for module in ["pathlib", "pathlib._local"] {
      all.formUnion(["PosixPath", "WindowsPath", "PurePosixPath"].map { PickleGlobal(module, $0) })
    }
    return all
  }()

  private static let layout = PickleGlobal("torch.serialization", "_get_layout")

  struct Problem: Error { let reason: String }

  /// - Throws: `invalid`, also for classes that DCP does not write; `refused` for what cannot be read; `io`.
  init(folder: String) throws {
    let file = try InputFile(path: Path.join(folder, Self.fileName))
    let bytes = try file.contents(limit: Self.limit)
    do { try self.init(bytes) } catch {
      let reason = (error as? PickleError).map { "\($0)" } ?? (error as? Problem)?.reason
      guard let reason else { throw error }
      throw VPatchError(.invalid, file.path, reason, remedy: DistributedCheckpoint.remedy(folder))
    }
    try file.requireUnchanged()
  }

  /// - Throws: `PickleError`, `Problem`.
  init(_ bytes: [UInt8]) throws {
    let root = try bytes.withUnsafeBytes { bytes in
      var machine = PickleMachine(bytes, knowing: Self.known)
      let value = try machine.run()
      guard machine.position == bytes.count else { throw Problem(reason: "has bytes behind its pickle") }
      return value
    }
    let fields = try Self.fields(root, "Metadata")
    guard let entries = fields["state_dict_metadata"]?.dictionary, let data = fields["storage_data"]?.dictionary else {
      throw Problem(reason: "does not list tensors and their places")
    }
    var places = try Self.places(data)
    var (tensors, others, names) = ([Tensor](), [String](), Set<String>())
    for (key, value) in entries {
      guard let name = key.string, TensorInfo.isValidName(name), names.insert(name.bytesKey).inserted else {
        throw Problem(reason: "has a name that is not valid, or twice")
      }
      if value.state(of: PickleGlobal(Self.module, "BytesStorageMetadata")) != nil
        || value.call?.function == PickleGlobal(Self.module, "BytesStorageMetadata")
      {
        places[Part(name: name.bytesKey, offsets: nil)] = nil
        others.append(name)
      } else {
        tensors.append(try Self.tensor(name, value, &places))
      }
    }
    if let left = places.first {
      throw Problem(reason: "lists a place for \"\(left.key.name.printable)\", which is no part of a tensor")
    }
    (self.tensors, self.others) = (tensors, others)
  }

  // MARK: Tensors

  private static func tensor(_ name: String, _ value: PickleValue, _ places: inout [Part: Place]) throws -> Tensor {
    func problem(_ reason: String) -> Problem { Problem(reason: "has \"\(name.printable)\", \(reason)") }
    let fields = try fields(value, "TensorStorageMetadata")
    guard let shape = fields["size"].flatMap(TorchTensor.sizes), let list = fields["chunks"]?.list else {
      throw problem("without a shape or parts")
    }
    let properties = fields["properties"].flatMap { properties in
      properties.state(of: PickleGlobal(module, "TensorProperties"))
        ?? properties.state(of: PickleGlobal(olderModule, "TensorProperties"))
    }?.tuple
    guard let properties, properties.count >= 2 else { throw problem("without a dtype") }
    guard let dtype = TorchDType.of(properties[0].global) else {
      throw problem("whose dtype safetensors files do not have")
    }
    guard let layout = properties[1].call, layout.function == Self.layout,
      layout.arguments.first?.string == "torch.strided"
    else { throw problem("which is sparse") }
    var (chunks, empty) = ([[Int]: Chunk](), [Part]())
    for item in list {
      let fields = try Self.fields(item, "ChunkStorageMetadata")
      guard let offsets = fields["offsets"].flatMap(TorchTensor.sizes),
        let sizes = fields["sizes"].flatMap(TorchTensor.sizes), offsets.count == shape.count, sizes.count == shape.count
      else { throw problem("with a part without a shape") }
      let part = Part(name: name.bytesKey, offsets: offsets)
      if sizes.contains(0) {
        empty.append(part)
        continue
      }
      let place = places.removeValue(forKey: part)
      // Ranks that hold the same part are listed once each; it was written by one of them.
      if let same = chunks[offsets], same.sizes == sizes, place == nil { continue }
      guard let place else { throw problem("a part of which is in no file") }
      guard chunks.updateValue(Chunk(offsets: offsets, sizes: sizes, place: place), forKey: offsets) == nil else {
        throw problem("with a part that is listed twice")
      }
    }
    for part in empty { places[part] = nil }
    return Tensor(name: name, dtype: dtype, shape: shape, chunks: Array(chunks.values))
  }

  // MARK: Places

  private struct Part: Hashable {
    let name: String
    /// Nil for a value that is no tensor.
    let offsets: [Int]?
  }

  private static func places(_ data: [(key: PickleValue, value: PickleValue)]) throws -> [Part: Place] {
    var places: [Part: Place] = [:]
    for (key, value) in data {
      let index = try fields(key, "MetadataIndex")
      guard let name = index["fqn"]?.string else { throw Problem(reason: "has a place without a name") }
      var offsets: [Int]?
      if let offset = index["offset"], !offset.isNone {
        guard let sizes = TorchTensor.sizes(offset) else { throw Problem(reason: "has a place without an offset") }
        offsets = sizes
      }
      let place = try place(value, of: name)
      guard places.updateValue(place, forKey: Part(name: name.bytesKey, offsets: offsets)) == nil else {
        throw Problem(reason: "has a place of \"\(name.printable)\" twice")
      }
    }
    return places
  }

  private static func place(_ value: PickleValue, of name: String) throws -> Place {
    let fields = try fields(value, storageInfo)
    guard let file = fields["relative_path"]?.string, let offset = fields["offset"]?.int,
      let length = fields["length"]?.int, offset >= 0, length >= 0, offset <= Limits.number, length <= Limits.number
    else { throw Problem(reason: "does not say where \"\(name.printable)\" is") }
    guard SafetensorsCheckpoint.isValidFileName(file) else {
      throw Problem(reason: "names the file \"\(file.printable)\", which is not a plain file name in this folder")
    }
    if let transforms = fields["transform_descriptors"], !transforms.isNone, transforms.list?.isEmpty != true {
      let names = transforms.list?.compactMap(\.string).joined(separator: ", ") ?? ""
      throw Problem(reason: "has tensors that are compressed or encrypted (\(names.printable))")
    }
    return Place(file: file, offset: offset, length: length)
  }

  // MARK: Objects

  private static func fields(_ value: PickleValue, _ name: String) throws -> [String: PickleValue] {
    try fields(value, PickleGlobal(module, name))
  }

  /// The fields of a dataclass.
  private static func fields(_ value: PickleValue, _ global: PickleGlobal) throws -> [String: PickleValue] {
    guard let members = value.state(of: global)?.dictionary else {
      throw Problem(reason: "has \(value.kind) where \(global.name) belongs")
    }
    var fields: [String: PickleValue] = [:]
    for (key, value) in members {
      guard let key = key.string, fields.updateValue(value, forKey: key) == nil else {
        throw Problem(reason: "has a \(global.name) with a field that is not valid, or twice")
      }
    }
    return fields
  }
}
