import Base

/// A file of torch.save: a state dict, or what a training run keeps (nested dictionaries with state dicts in them).
struct TorchFile {
  /// By the path of their keys, joined by dots.
  let tensors: [(name: String, tensor: TorchTensor)]
  /// Names of values that are no tensors.
  let others: [String]
  private let bytes: (TorchTensor) throws -> CheckedBytes

  /// Bytes of a pickle; those of large models have a few megabytes.
  static let pickleLimit = 1 << 28

  /// - Throws: `invalid`, also for a file with classes or functions that tensors do not need; `refused`; `io`.
  init(_ file: InputFile) throws {
    let value: PickleValue
    (value, bytes) = try LegacyTorchFile.isOne(file) ? LegacyTorchFile.read(file) : Self.read(zip: file)
    var leaves = StateLeaves()
    do { try leaves.add(value, "", depth: 0) } catch let refusal as TorchTensor.Refusal {
      throw VPatchError(.refused, file.path, refusal.reason, remedy: Self.remedy)
    }
    (tensors, others) = (leaves.tensors, leaves.others)
    guard !tensors.isEmpty else {
      throw VPatchError(.refused, file.path, "holds \(value.kind) without tensors", remedy: Self.remedy)
    }
  }

  private static let remedy = "save the model's state dict: torch.save(model.state_dict(), path)"

  /// The whole tensor as a part of a checkpoint.
  func part(_ tensor: TorchTensor) throws -> AssembledCheckpoint.Part {
    AssembledCheckpoint.Part(
      bytes: try bytes(tensor), source: tensor.box, offsets: [Int](repeating: 0, count: tensor.shape.count),
      sizes: tensor.shape)
  }

  private static func read(zip file: InputFile) throws -> (PickleValue, (TorchTensor) throws -> CheckedBytes) {
    let archive = try TorchArchive(file, 0..<file.size)
    try archive.requireLittleEndian()
    let value = try load(try archive.contents(of: "data.pkl", limit: pickleLimit), file)
    // Views of one storage share its check.
    var storages: [String: CheckedBytes] = [:]
    return (
      value,
      { tensor in
        if let bytes = storages[tensor.storage] { return bytes }
        let bytes = try archive.storage(of: tensor, in: file)
        storages[tensor.storage] = bytes
        return bytes
      }
    )
  }

  static func load(_ bytes: [UInt8], _ file: InputFile) throws -> PickleValue {
    try bytes.withUnsafeBytes { bytes in
      var machine = PickleMachine(bytes, knowing: TorchTensor.globals)
      do { return try machine.run() } catch let error as PickleError { throw Self.error(error, file) }
    }
  }

  static func error(_ error: PickleError, _ file: InputFile) -> VPatchError {
    VPatchError(.invalid, file.path, "\(error)", remedy: Self.remedy)
  }
}

extension TorchArchive {
  /// The bytes of a tensor's storage.
  func storage(of tensor: TorchTensor, in file: InputFile) throws -> CheckedBytes {
    let entry = try entry("data/\(tensor.storage)")
    guard entry.count == tensor.storageBytes else {
      throw VPatchError(
        .invalid, file.path,
        "has \(entry.count) bytes in \"data/\(tensor.storage.printable)\", where a tensor needs \(tensor.storageBytes)",
        remedy: "copy it again, or save it again")
    }
    return CheckedBytes(file, entry.range, crc: entry.crc)
  }
}

extension TorchTensor {
  /// Where its elements lie in the storage.
  var box: TensorBox { TensorBox(start: offset, shape: shape, strides: strides) }
}

/// The tensors in nested dictionaries and lists.
private struct StateLeaves {
  var tensors: [(name: String, tensor: TorchTensor)] = []
  var others: [String] = []
  private var names: Set<String> = []
  private var visited = 0

  /// A pickle can refer to a dictionary many times, so that its leaves are far more than its bytes.
  private static let limit = 1 << 20

  mutating func add(_ value: PickleValue, _ name: String, depth: Int) throws {
    visited += 1
    guard visited <= Self.limit, depth <= 32 else { throw TorchTensor.Refusal(reason: "has too many nested values") }
    func child(_ key: String) -> String { name.isEmpty ? key : "\(name).\(key)" }
    if let members = value.dictionary {
      for (key, value) in members {
        guard let key = key.string ?? key.int.map(String.init) else {
          throw TorchTensor.Refusal(reason: "has a dictionary with \(key.kind) for a key")
        }
        try add(value, child(key), depth: depth + 1)
      }
      return
    }
    if let items = value.list ?? value.tuple {
      for (i, item) in items.enumerated() { try add(item, child(String(i)), depth: depth + 1) }
      return
    }
    do {
      guard let tensor = try TorchTensor(value) else { return others.append(name) }
      guard TensorInfo.isValidName(name) else {
        throw TorchTensor.Refusal(reason: "has a tensor whose name is empty, too long or holds NUL")
      }
      guard names.insert(name.bytesKey).inserted else {
        throw TorchTensor.Refusal(reason: "has the tensor \"\(name.printable)\" twice")
      }
      tensors.append((name, tensor))
    } catch let refusal as TorchTensor.Refusal where name.isEmpty || !refusal.reason.hasPrefix("has") {
      throw TorchTensor.Refusal(reason: "holds \"\(name.printable)\", which \(refusal.reason)")
    }
  }
}
