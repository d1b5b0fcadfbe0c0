/// What a model's `config.json` says of its language model.
package struct ModelConfig: Equatable, Sendable {
  /// `model_type`: who wrote the rules that the numbers below follow.
  package enum Family: String, Sendable, CaseIterable { case llama, mistral, qwen2 }

  package var family: Family
  /// It sees images, too.
  package var isMultimodal: Bool
  package var vocabularySize: Int
  package var hiddenSize: Int
  package var intermediateSize: Int
  package var layers: Int
  package var heads: Int
  /// Heads of keys and values; each serves `heads` / `keyValueHeads` heads of queries.
  package var keyValueHeads: Int
  package var headSize: Int
  package var normEpsilon: Float
  package var rotary: RotaryEmbedding
  /// The head is the embedding, unless the checkpoint has one with other values.
  package var isTied: Bool
  package var biases: Biases
  /// Positions that it was trained on.
  package var maximumLength: Int
  /// Tokens that each token can see, where that is less than all: texts up to this length are as without it, and longer
  /// ones are not known here.
  package var window: Int?
  /// Generation ends with any of these.
  package var endTokens: [Int32]

  /// Modules of a layer that add a bias to their product.
  package struct Biases: Equatable, Sendable {
    /// Queries, keys and values.
    package var queries: Bool
    package var attentionOutput: Bool
    /// All three.
    package var mlp: Bool
  }

  /// Width of the queries, and of the attention's output.
  package var queryWidth: Int { heads * headSize }
  /// Width of the keys, and of the values.
  package var keyValueWidth: Int { keyValueHeads * headSize }
  /// Queries, keys and values side by side.
  package var attentionWidth: Int { queryWidth + 2 * keyValueWidth }
}
