/// What a family's decoder layers consist of besides projections, attention and a gated MLP. The defaults are LLaMA's.
package struct DecoderParts: Equatable, Sendable {
  /// RMSNorms of queries and keys, before they are rotated.
  package enum QueryKeyNorm: Sendable {
    case none
    /// Of each head by itself; all heads have the same weights.
    case heads
    /// Of all heads together.
    case whole
  }

  /// Where the norms of attention and MLP are.
  package enum Norms: Sendable {
    /// In front of them.
    case before
    /// Behind them, before the residual is added.
    case after
    case both
  }

  package var queryKeyNorm = QueryKeyNorm.none
  package var norms = Norms.before
  /// Whether queries, keys and values are one tensor, and so are gate and up.
  package var isFused = false
  /// Added to the weights of every norm.
  package var normOffset: Float = 0
  /// Of the gate.
  package var activation = Activation.silu
  /// By which embeddings are multiplied.
  package var embeddingScale: Float = 1
  /// By which products of queries and keys are multiplied; nil for one over the root of the head size.
  package var attentionScale: Float?

  package init() {}
}

/// What differs from layer to layer.
package struct LayerKind: Equatable, Sendable {
  /// Whether a token sees only some of those before it.
  package var isSliding: Bool
  /// Whether queries and keys are rotated by their positions.
  package var isRotary: Bool
}
