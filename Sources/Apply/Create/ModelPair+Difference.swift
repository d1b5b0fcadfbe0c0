import Base
import Checkpoints
import Families

/// Tensors that only one side has.
extension ModelPair {
  func lacking(_ removed: [TensorInfo]) throws -> Problem? {
    let unexplained = try unexplained(removed, in: base, and: tuned)
    guard let first = unexplained.first else { return nil }
    if !added.isEmpty, let match = betterMatch {
      return Problem(
        "lacks \(Format.counted(unexplained.count, "tensor")) of the base, such as \"\(first.name.printable)\"; under other "
          + "names, or arranged in another way, it has \(match.pairedCount) of the base's \(base.tensors.count)",
        "use --map-keys auto")
    }
    let what =
      added.isEmpty
      ? "holds only \(Format.grouped(tuned.tensors.count)) of the base's \(Format.counted(base.tensors.count, "tensor")), "
        + "as if it had only the trained ones: a patch would remove the others, such as \"\(first.name.printable)\""
      : "lacks \(Format.counted(unexplained.count, "tensor")) of the base that a fine-tune does not remove, such as "
        + "\"\(first.name.printable)\""
    return Problem(
      what,
      "give the whole tuned model, or keep the missing tensors of the base with --partial, or remove them with "
        + "--allow-removals")
  }

  /// A match that pairs more tensors than equal names do, or in another arrangement.
  var betterMatch: LayoutMatch? {
    guard let match = layoutMatch, match.pairedCount > shared.count || !match.rearranged.isEmpty else { return nil }
    return match
  }

  func surplus(_ added: [TensorInfo]) throws -> Problem? {
    let unexplained = try unexplained(added, in: tuned, and: base)
    let layout = ModelLayout.recognise(names: tuned.tensors.map(\.name))
    let placed = unexplained.filter { tensor in
      switch layout.component(of: tensor.name).region {
      case .embedding, .decoderLayer, .finalNorm: true
      default: false
      }
    }
    let bytes = unexplained.reduce(0) { $0 + $1.byteCount }
    let half = tuned.tensors.reduce(0) { $0 + $1.byteCount } / 2
    guard let first = placed.first ?? unexplained.first, !placed.isEmpty || bytes > half else { return nil }
    return Problem(
      ofBase: true,
      "lacks \(Format.counted(unexplained.count, "tensor")) of the tuned model that a fine-tune does not add, such as "
        + "\"\(first.name.printable)\": does it hold only the trained tensors, or are the two models swapped?",
      "give the whole base first and the tuned model second, or accept the tensors with --allow-additions")
  }

  /// The tensors that only one side has, without those that may be missing or added anyway.
  private func unexplained(_ tensors: [TensorInfo], in owner: Side, and other: Side) throws -> [TensorInfo] {
    let layers = [owner.config.layers, other.config.layers].compactMap(\.self).min()
    let othersSenses = Set(other.tensors.compactMap { PassingTensors.sense(of: $0.name) })
    return try tensors.filter { tensor in
      if tensor.byteCount == 0 || PassingTensors.isBuffer(tensor) { return false }
      if PassingTensors.isFurtherPrediction(tensor.name) { return false }
      if let layers, let layer = PassingTensors.decoderLayer(tensor.name), layer >= layers { return false }
      if let sense = PassingTensors.sense(of: tensor.name) { return othersSenses.contains(sense) }
      return try !isTied(tensor, in: owner, and: other)
    }
  }

  /// The tensors that the tuned side lacks although a fine-tune may not have removed them: libraries drop them.
  func dropped() throws -> [TensorInfo] {
    let unexplained = Set(try unexplained(removed, in: base, and: tuned).map(\.name.bytesKey))
    return removed.filter { !unexplained.contains($0.name.bytesKey) }
  }

  /// Whether it is a head or an embedding that the other side has as another tensor, or does not use.
  private func isTied(_ tensor: TensorInfo, in owner: Side, and other: Side) throws -> Bool {
    let isTiedByConfig = owner.config.tiesEmbeddings || other.config.tiesEmbeddings
    if PassingTensors.isHead(tensor.name), isTiedByConfig || other.config.hasHead == false { return true }
    return try original(of: tensor, in: owner, and: other) != nil
  }

  /// The embedding of which a removed head or embedding is a copy in the base.
  func original(ofRemoved tensor: TensorInfo) throws -> TensorInfo? {
    try original(of: tensor, in: base, and: tuned)
  }

  /// The embedding, on both sides, of which a head or an embedding is a copy.
  private func original(of tensor: TensorInfo, in owner: Side, and other: Side) throws -> TensorInfo? {
    guard PassingTensors.isHead(tensor.name) || PassingTensors.isEmbedding(tensor.name) else { return nil }
    let model = owner.checkpoint
    func fingerprint(_ info: TensorInfo) throws -> ContentDigest? {
      try model.tensor(named: info.name).map { try model.source(of: $0).fingerprint() }
    }
    let candidates = owner.tensors.filter {
      PassingTensors.isEmbedding($0.name) && $0.dtype == tensor.dtype && $0.shape == tensor.shape
        && other.names.contains($0.name.bytesKey)
    }
    // Under mapped names nothing is found, so nothing counts as tied.
    guard !candidates.isEmpty, let bits = try fingerprint(tensor) else { return nil }
    return try candidates.first { try fingerprint($0) == bits }
  }
}
