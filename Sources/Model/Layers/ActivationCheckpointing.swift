/// Activations kept by the forward pass for the backward pass.
package enum ActivationCheckpointing: Sendable {
  /// All that the backward pass needs.
  case activations
  /// Each layer's input; the rest is recomputed (gradient checkpointing).
  case inputs
}
