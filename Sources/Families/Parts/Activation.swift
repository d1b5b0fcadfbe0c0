/// Activation functions of an MLP.
package enum Activation: String, Sendable {
  /// x·Φ(x)
  case gelu
  /// tanh approximation of GELU
  case geluTanh = "gelu_pytorch_tanh"
  /// x·σ(1.702·x)
  case quickGELU = "quick_gelu"
  /// x·σ(x)
  case silu
}
