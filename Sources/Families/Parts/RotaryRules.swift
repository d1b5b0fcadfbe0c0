/// What the configs of a family may say of rotary embeddings, as transformers 5.24 reads them.
package struct RotaryRules: Equatable, Sendable {
  /// Names of scalings that its config class accepts; nil for all.
  package var known: Set<String>?
  /// Older names, and what they mean.
  package var renamed: [String: String] = [:]
  /// Whether `partial_rotary_factor` is used: only the first numbers of each head are rotated.
  package var canBePartial = false
  /// Default of `original_max_position_embeddings`, which has precedence over a value inside of the scaling.
  package var originalLength: Int?

  package init() {}
}
