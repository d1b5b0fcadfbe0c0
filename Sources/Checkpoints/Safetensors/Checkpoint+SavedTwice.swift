// A directory that was saved twice: model.safetensors, and an index that names shards. A trainer that wrote shards first
// and one file later (or the other way round) leaves the older of the two there. transformers loads model.safetensors
// (5.24, _get_resolved_checkpoint_files); other loaders take the index, or every file. What patches are made of, and who a
// model is, keeps to the index, as the spec has it.

import Base

extension Checkpoint {
  /// Which files of a directory that was saved twice are the model.
  package enum Reading: Sendable {
    /// The index's shards: what patches are made of and applied to.
    case specified
    /// model.safetensors: what transformers computes with.
    case transformers
    /// The index's shards, where model.safetensors has the same tensors: for results that are bound to a root.
    case unambiguous
  }

  /// Opens one of the two, and says where it cannot be opened that there is another one.
  /// - Throws: `refused` with both ways out.
  static func savedTwice(_ path: String, _ open: () throws -> Checkpoint) throws -> Checkpoint {
    do { return try open() } catch let error as VPatchError {
      try requireFinished(path)
      let subject = error.subject.map { "\(Path.name($0)) " } ?? ""
      throw VPatchError(
        .refused, path, "was saved twice, as \(singleName) and as shards with \(indexName): \(subject)\(error.reason)",
        remedy: waysOut)
    }
  }

  /// Whether an index names model.safetensors alone, which some savers write beside it: that is saved once.
  static func isOfSingle(_ indexPath: String) -> Bool {
    guard let index = try? JSON.parse(InputFile.contents(of: indexPath, limit: 64 << 20)),
      let map = index["weight_map"]?.object, !map.isEmpty
    else { return false }
    return map.allSatisfy { $0.value == .string(singleName) }
  }

  private static let waysOut =
    "if \(singleName) is the model, remove \(indexName); if the shards are, complete them and remove \(singleName)"

  /// - Throws: `refused` where model.safetensors has other tensors than the shards.
  func requireSameAsSingle() throws {
    let single = try Checkpoint(path: path, reading: .transformers)
    let difference = try firstDifference(from: single)
    try requireSameBytes()
    try single.requireSameBytes()
    guard let difference else { return }
    throw VPatchError(
      .refused, path,
      "was saved twice, and \(Self.singleName) is another model than the shards of \(Self.indexName): "
        + "\"\(difference.printable)\" differs", remedy: Self.waysOut)
  }

  /// The name of a tensor that the other has not, or has with other bits.
  private func firstDifference(from other: Checkpoint) throws -> String? {
    for (mine, theirs) in zip(tensors, other.tensors) where mine.info != theirs.info {
      return mine.name.precedes(theirs.name) ? mine.name : theirs.name
    }
    if tensors.count != other.tensors.count {
      return (tensors + other.tensors)[min(tensors.count, other.tensors.count)].name
    }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: TensorPiece.size, alignment: 64)
    defer { buffer.deallocate() }
    for (mine, theirs) in zip(tensors, other.tensors) {
      let source = StoredTensor(theirs, in: other)
      var isSame = true
      try StoredTensor(mine, in: self).forEachPiece { offset, bytes in
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<bytes.count])
        try source.read(into: piece, at: offset)
        isSame = isSame && bytes.elementsEqual(piece)
      }
      if !isSame { return mine.name }
    }
    return nil
  }

  /// Files in the directory that have the name of weights, and that are not read: in ascending order.
  package func filesNotRead() throws -> [String] {
    guard isDirectory else { return [] }
    let own = Set(files.map(\.name.bytesKey))
    return try Path.entries(of: path, skippingUndecodable: true).filter { name in
      !name.hasPrefix(".") && !own.contains(name.bytesKey)
        && (Self.isWeights(name) || isSavedTwice && index == nil && name.isSame(as: Self.indexName))
    }.sorted { $0.precedes($1) }
  }

  /// By the names that trainers and loaders give to weights.
  private static func isWeights(_ name: String) -> Bool {
    let isNamed = ["pytorch_model", "adapter_model", "model", "consolidated"].contains { name.hasPrefix($0) }
    let isShard = name.contains(/-[0-9]{5}-of-[0-9]{5}\./)
    return name.hasSuffix(".gguf")
      || (isNamed || isShard) && [".safetensors", ".bin", ".pt", ".pth"].contains { name.hasSuffix($0) }
  }

  /// What a person has to know of files that are not read; nil where there are none.
  package func warning() throws -> String? {
    let names = try filesNotRead()
    guard !names.isEmpty else { return nil }
    let list = names.prefix(8).map(\.printable).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
    guard isSavedTwice else { return "\(path.printable) holds weights that are not read: \(list)" }
    let what =
      index == nil
      ? "\(Self.singleName) is read, as transformers does"
      : "the shards that \(Self.indexName) names are read (transformers takes \(Self.singleName))"
    return "\(path.printable) was saved twice: \(what); not read, and to be removed if they are stale: \(list)"
  }
}
