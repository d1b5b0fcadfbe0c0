// A directory that was saved twice: it has model.safetensors, and an index that names shards. That happens when a
// trainer writes shards first and one file later, or the other way round, and leaves the older save there. transformers
// loads model.safetensors (5.24, _get_resolved_checkpoint_files); other loaders take the index, or every file. vpatch
// uses the index for patches and for the root digest, as the spec says.

import Base

extension SafetensorsCheckpoint {
  /// Which files of a directory that was saved twice are the model.
  package enum Reading: Sendable {
    /// The index's shards: for creating and applying patches.
    case specified
    /// model.safetensors, as transformers loads it.
    case transformers
    /// The index's shards, provided that model.safetensors has the same tensors: for results that are bound to a root.
    case unambiguous
    /// The index's shards of a canonical delta, which are no weights. All other readings refuse one.
    case canonicalDelta
  }

  /// Opens one of the two. If that fails, the error says that there is another one.
  /// - Throws: `refused` with both ways out.
  static func savedTwice(_ path: String, _ open: () throws -> SafetensorsCheckpoint) throws -> SafetensorsCheckpoint {
    do { return try open() } catch let error as VPatchError {
      try requireFinished(path)
      let subject = error.subject.map { "\(Path.name($0)) " } ?? ""
      throw VPatchError(
        .refused, path, "was saved twice, as \(singleName) and as shards with \(indexName): \(subject)\(error.reason)",
        remedy: waysOut)
    }
  }

  /// Whether an index names only model.safetensors. Some savers write such an index beside it; that counts as saved
  /// once.
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
    let single = try SafetensorsCheckpoint(path: path, reading: .transformers)
    let difference = try firstDifference(from: single)
    try requireSameBytes()
    try single.requireSameBytes()
    guard let difference else { return }
    throw VPatchError(
      .refused, path,
      "was saved twice, and \(Self.singleName) differs from the shards of \(Self.indexName): "
        + "\"\(difference.printable)\" differs", remedy: Self.waysOut)
  }

  /// The name of a tensor that the other checkpoint lacks or has with other bytes; nil where there is none.
  private func firstDifference(from other: SafetensorsCheckpoint) throws -> String? {
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

  /// Files in the directory that are named like weights but are not read, in ascending order.
  package func filesNotRead() throws -> [String] {
    guard isDirectory else { return [] }
    let own = Set(files.map(\.name.bytesKey))
    return try Path.entries(of: path, skippingUndecodable: true).filter { name in
      !name.hasPrefix(".") && !own.contains(name.bytesKey)
        && (Self.isWeights(name) || isSavedTwice && index == nil && name.isSame(as: Self.indexName))
    }.sorted { $0.precedes($1) }
  }

  /// Whether a name is one that trainers and loaders use for weights.
  private static func isWeights(_ name: String) -> Bool {
    let isNamed = ["pytorch_model", "adapter_model", "model", "consolidated"].contains { name.hasPrefix($0) }
    let isShard = name.contains(/-[0-9]{5}-of-[0-9]{5}\./)
    return name.hasSuffix(".gguf")
      || (isNamed || isShard) && [".safetensors", ".bin", ".pt", ".pth"].contains { name.hasSuffix($0) }
  }

  /// A warning about files that are not read; nil where there are none.
  package func warning() throws -> String? {
    let names = try filesNotRead()
    guard !names.isEmpty else { return nil }
    let list = names.prefix(8).map(\.printable).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
    guard isSavedTwice else { return "\(path.printable) holds weights that are not read: \(list)" }
    let what =
      index == nil
      ? "\(Self.singleName) is read, as transformers does"
      : "the shards that \(Self.indexName) names are read (transformers takes \(Self.singleName))"
    return "\(path.printable) was saved twice: \(what); not read (remove them if they are stale): \(list)"
  }
}
