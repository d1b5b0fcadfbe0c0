/// y = x·Wᵀ + b, where W's rows come from one or several tensors, stacked: q, k and v are one product.
struct Linear: Sendable {
  struct Part: Sendable {
    let weight: Parameter
    let bias: Parameter?
    /// The outputs that this tensor gives.
    let outputs: Range<Int>
  }

  let parts: [Part]
  let inputs: Int
  let outputs: Int

  init(_ parts: [(weight: Parameter, bias: Parameter?)]) {
    var position = 0
    self.parts = parts.map { part in
      defer { position += part.weight.rows }
      return Part(weight: part.weight, bias: part.bias, outputs: position..<position + part.weight.rows)
    }
    inputs = parts[0].weight.columns
    outputs = position
  }

  init(_ weight: Parameter, bias: Parameter? = nil) { self.init([(weight, bias)]) }

  var parameters: [Parameter] { parts.flatMap { [$0.weight, $0.bias].compactMap(\.self) } }
  var isTuned: Bool { parameters.contains { $0.tuning != nil || $0.factors != nil } }
}
