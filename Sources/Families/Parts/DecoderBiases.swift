/// Which modules of a layer add a bias.
package struct DecoderBiases: Equatable, Sendable {
  /// Queries, keys and values.
  package var queries: Bool
  package var attentionOutput: Bool
  /// All three MLP matrices.
  package var mlp: Bool

  package init(queries: Bool, attentionOutput: Bool, mlp: Bool) {
    self.queries = queries
    self.attentionOutput = attentionOutput
    self.mlp = mlp
  }
}
