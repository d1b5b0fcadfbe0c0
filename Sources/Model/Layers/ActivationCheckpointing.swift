/// What a forward pass keeps.
package enum ActivationCheckpointing: Sendable {
  /// All that the backward pass needs.
  case activations
  /// Each layer's input; the rest is computed a second time.
  case inputs
}
