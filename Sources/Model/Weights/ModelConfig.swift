/// What a model's `config.json` says of its language model.
public struct ModelConfig: Equatable, Sendable {
  /// `model_type`: who wrote the rules that the numbers below follow.
  public enum Family: String, Sendable, CaseIterable { case llama, mistral, qwen2 }

  public var family: Family
  /// It sees images, too.
  public var isMultimodal: Bool
  public var vocabularySize: Int
  public var hiddenSize: Int
  public var intermediateSize: Int
  public var layers: Int
  public var heads: Int
  /// Heads of keys and values; each serves `heads` / `keyValueHeads` heads of queries.
  public var keyValueHeads: Int
  public var headSize: Int
  public var normEpsilon: Float
  public var rotary: RotaryEmbedding
  /// The head is the embedding, unless the checkpoint has one with other values.
  public var isTied: Bool
  public var biases: Biases
  /// Positions that it was trained on.
  public var maximumLength: Int
  /// Tokens that each token can see, where that is less than all: texts up to this length are as without it, and longer
  /// ones are not known here.
  public var window: Int?
  /// Generation ends with any of these.
  public var endTokens: [Int32]

  /// Modules of a layer that add a bias to their product.
  public struct Biases: Equatable, Sendable {
    /// Queries, keys and values.
    public var queries: Bool
    public var attentionOutput: Bool
    /// All three.
    public var mlp: Bool
  }

  /// Width of the queries, and of the attention's output.
  var queryWidth: Int { heads * headSize }
  /// Width of the keys, and of the values.
  var keyValueWidth: Int { keyValueHeads * headSize }
  /// Queries, keys and values side by side.
  var attentionWidth: Int { queryWidth + 2 * keyValueWidth }
  var attention: Attention.Shape {
    Attention.Shape(heads: heads, keyValueHeads: keyValueHeads, headSize: headSize, isCausal: true)
  }
  var activations: Activations.Shape {
    Activations.Shape(
      layers: layers, hidden: hiddenSize, attention: attention, up: 2 * intermediateSize, isTurned: true)
  }
}
