import Base
import Checkpoints
import PatchFormat

/// What an adapter does to each tensor of a base.
package struct AdapterPlan: Sendable {
  enum Change: Sendable, Equatable {
    /// base + scale · B · A. The views refer to the adapter's tensors by index.
    case lowRank(LowRank)
    /// The adapter's tensor in the base's dtype.
    case whole(String)
    /// Rows that are replaced by those of the adapter's tensor.
    case rows([Int], of: String)
    /// base + scale · the adapter's tensor.
    case sum(String, scale: Double)
  }

  package let adapter: PEFTAdapter
  let base: SafetensorsCheckpoint
  /// By the bytes of the base's names.
  let changes: [String: Change]

  /// - Throws: `refused` for keys without a tensor in the base, wrong shapes, and factors that contradict the config.
  package init(_ adapter: PEFTAdapter, over base: SafetensorsCheckpoint) throws {
    changes = try AdapterPlanBuilder(adapter, base).changes()
    self.adapter = adapter
    self.base = base
  }

  func change(of name: String) -> Change? { changes[name.bytesKey] }
}

/// Collects the tensors of an adapter by module, and finds the base's tensors that they change.
struct AdapterPlanBuilder {
  let adapter: PEFTAdapter
  let base: SafetensorsCheckpoint
  /// The adapter's tensors. Factors are known by their indices.
  let infos: [TensorInfo]
  /// The base's config.json, if known.
  let baseConfig: JSON?

  /// Tensors of the adapter for one wrapped layer.
  struct Parts {
    var a: Int?
    var b: Int?
    var isEmbedding = false
  }

  init(_ adapter: PEFTAdapter, _ base: SafetensorsCheckpoint) {
    self.adapter = adapter
    self.base = base
    infos = adapter.checkpoint.tensors.map(\.info)
    baseConfig = base.config
  }

  /// The changes, by the bytes of the base's names.
  func changes() throws -> [String: AdapterPlan.Change] {
    var parts: [AdapterKey: Parts] = [:]
    var others: [(key: AdapterKey, info: TensorInfo)] = []
    for (index, tensor) in infos.enumerated() {
      guard tensor.byteCount > 0 else { throw refused("has the tensor \(quoted(tensor.name)) without elements") }
      let key = AdapterKey(tensor.name)
      let place = AdapterKey(layer: key.module, depth: key.depth)
      var part = parts[place] ?? Parts()
      switch key.kind {
      case .a, .embeddingA:
        guard part.a == nil else { throw refused("has two factors A for \(quoted(key.module))") }
        part.a = index
        part.isEmbedding = key.kind == .embeddingA
        parts[place] = part
      case .b, .embeddingB:
        guard part.b == nil else { throw refused("has two factors B for \(quoted(key.module))") }
        part.b = index
        parts[place] = part
      case .unknown:
        throw refused(
          "has \(quoted(tensor.name)), which is no factor of a plain LoRA (\(AdapterTensors.kind(of: tensor.name) ?? "unknown"))",
          remedy: OtherForm.mergeRemedy)
      case .biasOfB, .tokenRows, .whole: others.append((key, tensor))
      }
    }
    guard !parts.isEmpty || !others.isEmpty else { throw refused("holds no tensors") }
    let parameters = try ParameterNames(parts.keys, adapter)
    let wanted = Set(parts.keys.map(parameters.name) + others.map { $0.key.tensorName })
    let shapes = parts.reduce(into: [String: [Int]]()) { shapes, entry in
      shapes[parameters.name(entry.key)] = fusedShape(entry.value, parameters.path(entry.key))
    }
    let placement = try AdapterPlacement(wanted, shapes: shapes, in: base, config: baseConfig)
    try requireAll(wanted, of: placement)
    var changes: [String: AdapterPlan.Change] = [:]
    for (key, part) in parts {
      guard let a = part.a, let b = part.b else {
        throw refused("has only one of the two factors of \(quoted(key.module))")
      }
      let factors = AdapterFactors(indices: (a, b), plan: self, path: parameters.path(key))
      for (name, rule) in try rules(factors, placement.found[parameters.name(key)]!, part.isEmbedding) {
        guard changes.updateValue(.lowRank(rule), forKey: name.bytesKey) == nil else {
          throw refused("changes \(quoted(name)) in two ways", remedy: OtherForm.mergeRemedy)
        }
      }
    }
    for (key, info) in others {
      let places = placement.found[key.tensorName]!.parts
      guard places.count == 1, places[0].blocks == nil else {
        throw refused(
          "replaces \(quoted(key.tensorName)), which is arranged otherwise in the base", remedy: OtherForm.mergeRemedy)
      }
      let tensor = places[0].tensor
      if let change = try change(key, info, tensor, besides: changes[tensor.name.bytesKey]) {
        changes[tensor.name.bytesKey] = change
      }
    }
    return changes
  }

  /// A change that is not a product of factors; nil for a copy of the base's own tensor.
  private func change(
    _ key: AdapterKey, _ info: TensorInfo, _ tensor: CheckpointTensor, besides other: AdapterPlan.Change?
  ) throws -> AdapterPlan.Change? {
    if key.kind == .whole, other != nil || info == tensor.info.named(info.name) {
      // PEFT saves embeddings and heads beside their factors.
      let own = try adapter.checkpoint.source(of: adapter.checkpoint.tensor(named: info.name)!).fingerprint()
      if try info.dtype == tensor.info.dtype && own == base.source(of: tensor).fingerprint() { return nil }
    }
    guard other == nil else {
      throw refused("changes \(quoted(tensor.name)) in two ways", remedy: OtherForm.mergeRemedy)
    }
    switch key.kind {
    case .tokenRows:
      let rows = try adapter.config.rows(of: key.module, refused: { refused($0) })
      guard tensor.info.shape.count == 2, info.shape == [rows.count, tensor.info.shape[1]],
        rows.allSatisfy({ $0 < tensor.info.shape[0] })
      else { throw mismatch(info, tensor.info) }
      return .rows(rows, of: info.name)
    case .biasOfB:
      guard info.shape == tensor.info.shape else { throw mismatch(info, tensor.info) }
      return .sum(info.name, scale: adapter.config.scale(of: key.module))
    default:
      guard info.shape == tensor.info.shape else { throw mismatch(info, tensor.info) }
      return .whole(info.name)
    }
  }

  /// The shape of fused experts whose factors are not transposed; nil for a single matrix.
  private func fusedShape(_ part: Parts, _ path: String) -> [Int]? {
    guard let a = part.a.map({ infos[$0] }), let b = part.b.map({ infos[$0] }), a.shape.count == 2, b.shape.count == 2
    else { return nil }
    let rank = adapter.config.rank(of: path)
    guard a.shape[0] > rank, a.shape[0] % rank == 0 else { return nil }
    return [a.shape[0] / rank, b.shape[0], a.shape[1]]
  }

  /// The rules of the base's tensors that a parameter is made of.
  private func rules(
    _ factors: AdapterFactors, _ place: (shape: [Int], parts: [AdapterPlacement.Part]), _ isEmbedding: Bool
  ) throws -> [(name: String, rule: LowRank)] {
    let first = place.parts[0].tensor.info
    let whole = TensorInfo(
      name: first.name, dtype: first.dtype, shape: place.shape,
      byteCount: place.shape.reduce(first.dtype.element.width, *))
    let rule = try factors.rule(place.parts[0].blocks == nil ? first : whole, isEmbedding: isEmbedding)
    return try place.parts.map { part in
      guard let blocks = part.blocks else { return (part.tensor.name, rule) }
      guard let own = rule.restricted(to: part.tensor.info, at: blocks, of: place.shape),
        own.problem(of: part.tensor.info, adapter: infos) == nil
      else {
        throw refused(
          "changes \(quoted(part.tensor.name)), whose elements are arranged otherwise than in memory",
          remedy: OtherForm.mergeRemedy)
      }
      return (part.tensor.name, own)
    }
  }

  /// - Throws: `refused` with the tensors that the base does not have.
  private func requireAll(_ wanted: Set<String>, of placement: AdapterPlacement) throws {
    let missing = wanted.filter { placement.found[$0]?.parts.isEmpty ?? true }.sorted()
    guard let first = missing.first else { return }
    let list = missing.prefix(3).map { "\"\($0.printable)\"" }.joined(separator: ", ")
    let isTied = PassingTensors.isHead(first) && base.tensors.contains { PassingTensors.isEmbedding($0.name) }
    throw refused(
      "changes \(Format.counted(missing.count, "tensor")) that the base \(base.path.printable) does not have: \(list)"
        + (missing.count > 3 ? " and \(missing.count - 3) more" : ""),
      remedy: isTied
        ? "its output head is the embedding: " + OtherForm.mergeRemedy
        : "give the base that the adapter was trained on"
          + (adapter.config.baseModel.map { ", \($0.printable)" } ?? ""))
  }

  func refused(_ reason: String, remedy: String = "save the adapter again with PEFT's save_pretrained") -> VPatchError {
    VPatchError(.refused, adapter.path, reason, remedy: remedy)
  }

  func mismatch(_ info: TensorInfo, _ tensor: TensorInfo) -> VPatchError {
    refused(
      "has \(quoted(info.name)) of \(info.typeDescription) for the base's \(quoted(tensor.name)) of \(tensor.typeDescription)",
      remedy: "give the base that the adapter was trained on"
        + (adapter.config.baseModel.map { ", \($0.printable)" } ?? ""))
  }

  func quoted(_ name: String) -> String { "\"\(name.printable)\"" }
}

extension AdapterKey {
  /// Stands for both factors of a layer.
  fileprivate init(layer module: String, depth: Int) {
    kind = .a
    self.module = module
    self.depth = depth
  }

  /// The tensor that it changes.
  var tensorName: String {
    switch kind {
    case .whole, .unknown: module
    case .biasOfB: module + ".bias"
    case .a, .b, .embeddingA, .embeddingB, .tokenRows: module + ".weight"
    }
  }
}

extension TensorInfo {
  func named(_ name: String) -> TensorInfo {
    TensorInfo(name: name, dtype: dtype, shape: shape, byteCount: byteCount)
  }
}

extension PEFTConfig {
  /// The trained rows of an embedding.
  func rows(of module: String, refused: (String) -> VPatchError) throws -> [Int] {
    let named = trainedTokens.filter { entry in
      guard let name = entry.module else { return true }
      return module == name || module.hasSuffix("." + name)
    }
    guard named.count == 1 else {
      throw refused("has trained rows of \"\(module.printable)\", and \(Self.fileName) does not say which")
    }
    return named[0].rows
  }
}
