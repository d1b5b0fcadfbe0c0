/// The language model's part of a `config.json`.
package struct ModelConfig: Equatable, Sendable {
  package var family: DecoderFamily
  /// Whether the model also takes images.
  package var isMultimodal: Bool
  package var vocabularySize: Int
  package var hiddenSize: Int
  package var intermediateSize: Int
  package var layers: Int
  package var heads: Int
  /// Number of key-value heads. Each serves `heads` / `keyValueHeads` query heads.
  package var keyValueHeads: Int
  package var headSize: Int
  package var normEpsilon: Float
  package var rotary: RotaryEmbedding
  /// That of the layers with a window, where it is another one.
  package var slidingRotary: RotaryEmbedding?
  /// Whether the output head equals the embedding, unless the checkpoint has a head with other values.
  package var isTied: Bool
  package var biases: DecoderBiases
  package var parts: DecoderParts
  /// One for each layer.
  package var layerKinds: [LayerKind]
  /// Maximum number of positions the model was trained on.
  package var maximumLength: Int
  /// How many tokens a token sees in layers with a window, itself included; nil where no layer has one.
  package var window: Int?
  /// Generation ends at any of these tokens.
  package var endTokens: [Int32]

  /// Width of the queries, and of the attention output.
  package var queryWidth: Int { heads * headSize }
  /// Width of the keys, and of the values.
  package var keyValueWidth: Int { keyValueHeads * headSize }
  /// Width of queries, keys and values side by side.
  package var attentionWidth: Int { queryWidth + 2 * keyValueWidth }
}
