/// What a tensor of an adapter is, by its name (PEFT 0.21.2, `save_and_load.py` and `tuners/lora`).
struct AdapterKey: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    /// Of a linear layer: A (rank, in), B (out, rank).
    case a, b
    /// Of an embedding: A (rank, vocabulary), B (width, rank).
    case embeddingA, embeddingB
    /// Added to the layer's bias, times the scale.
    case biasOfB
    /// Rows that replace an embedding's.
    case tokenRows
    /// Replaces the tensor of that name.
    case whole
    /// A part of an adapter that is none of these, such as a DoRA's magnitudes.
    case unknown
  }

  let kind: Kind
  /// The module's path in the model, or for `whole` the tensor's name.
  let module: String
  /// How many wrappers of other parameters are inside this one (`target_parameters`).
  let depth: Int

  private static let endings: [(ending: [Substring], kind: Kind)] = [
    (["lora_A", "weight"], .a), (["lora_B", "weight"], .b), (["lora_B", "bias"], .biasOfB),
    (["lora_embedding_A"], .embeddingA), (["lora_embedding_B"], .embeddingB),
    (["token_adapter", "trainable_tokens_delta"], .tokenRows), (["trainable_tokens_delta"], .tokenRows),
  ]

  init(_ name: String) {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false)[...]
    if parts.starts(with: ["base_model", "model"]) { parts = parts.dropFirst(2) }
    // The name of the adapter is in the keys where a trainer saved the state of the whole model.
    if let at = parts.firstIndex(where: { $0.hasPrefix("lora_") }), parts[(at + 1)...].first == "default" {
      parts.remove(at: at + 1)
    }
    for (ending, kind) in Self.endings where parts.suffix(ending.count).elementsEqual(ending) {
      let inner = parts.dropLast(ending.count)
      let module = inner.reversed().drop { $0 == "base_layer" }.reversed()
      self.kind = kind
      self.module = module.joined(separator: ".")
      depth = inner.count - module.count
      return
    }
    depth = 0
    // The wrapped layer's own tensors are the model's. PEFT keeps them where they were trained or resized.
    module = parts.filter { $0 != "base_layer" }.joined(separator: ".")
    kind = AdapterTensors.kind(of: module) == nil ? .whole : .unknown
  }
}
