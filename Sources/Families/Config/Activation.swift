/// What makes an MLP more than one product.
package enum Activation: String, Sendable {
  /// x·Φ(x)
  case gelu
  /// Its approximation by tanh.
  case geluTanh = "gelu_pytorch_tanh"
  /// x·σ(1.702·x)
  case quickGELU = "quick_gelu"
  /// x·σ(x)
  case silu
}
