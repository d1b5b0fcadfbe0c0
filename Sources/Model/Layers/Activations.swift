/// What a transformer's forward pass leaves for its backward pass: of each layer, or only of the one at work.
///
/// Memory is kept from step to step: getting hundreds of megabytes anew from the system costs a tenth of a step.
final class Activations {
  /// What the forward pass keeps for the way back.
  enum Kept {
    case nothing
    /// All that layers from this one on need.
    case activations(from: Int)
    /// The inputs of layers from this one on; the rest is computed again.
    case inputs(from: Int)

    init(_ keeping: ActivationCheckpointing, from lowest: Int) {
      self = keeping == .activations ? .activations(from: lowest) : .inputs(from: lowest)
    }

    /// Whether all of a layer is kept.
    func isKept(_ layer: Int) -> Bool {
      if case .activations(let first) = self { return layer >= first }
      return false
    }
  }

  /// How many numbers there are for a token.
  struct Shape: Sendable {
    let layers: Int
    let hidden: Int
    let attention: Attention.Shape
    /// Of the MLP's first product: fc1, or gate and up side by side.
    let up: Int
    /// Queries and keys are turned by their places.
    let usesRotary: Bool

    /// Bytes for a token of a layer that is kept whole.
    var layerBytes: Int {
      4 * (2 * hidden + attention.width + attention.queryWidth + attention.heads + up)
    }

    /// Bytes for a token of all that is kept for the way back to a layer.
    func bytes(_ keeping: ActivationCheckpointing, from lowest: Int) -> Int {
      switch keeping {
      case .activations: (layers - lowest + (lowest > 0 ? 1 : 0)) * layerBytes
      case .inputs: (layers - lowest) * 4 * hidden + layerBytes
      }
    }
  }

  /// Per token: layer's input, q k v (turned), attention's output, log-sum of each head, MLP's input, and what its first
  /// product gives.
  struct Layer {
    let input: Floats
    let queryKeyValue: Floats
    let attended: Floats
    let logSums: Floats
    let middle: Floats
    let up: Floats
  }

  let shape: Shape
  private var capacity = 0
  private var kept: [Int: Layer] = [:]
  private var inputs: [Int: Floats] = [:]
  private var shared: Layer?
  private var last = Floats(0)
  private var heldGradient = Floats(0)
  /// Of the angles by which queries and keys are turned, [tokens, headSize / 2].
  private(set) var cosines = Floats(0)
  private(set) var sines = Floats(0)

  init(_ shape: Shape) { self.shape = shape }

  /// Makes room for so many tokens.
  func reserve(_ tokens: Int) {
    guard tokens > capacity else { return }
    kept = [:]
    inputs = [:]
    shared = nil
    capacity = tokens
    last = Floats(tokens * shape.hidden)
    heldGradient = Floats(0)
    let pairs = shape.usesRotary ? shape.attention.headSize / 2 : 0
    (cosines, sines) = (Floats(tokens * pairs), Floats(tokens * pairs))
  }

  /// Room for the gradient of the residual stream. Nobody has cleared it.
  var gradient: Floats {
    if heldGradient.count < capacity * shape.hidden { heldGradient = Floats(capacity * shape.hidden) }
    return heldGradient
  }

  /// Where a layer writes: memory of its own, or what all that are not kept share.
  func layer(_ index: Int, _ keeping: Kept) -> Layer {
    guard keeping.isKept(index) else {
      let layer = shared ?? make()
      shared = layer
      return layer
    }
    let layer = kept[index] ?? make()
    kept[index] = layer
    return layer
  }

  /// What a layer gets; behind the last one, what it gives.
  func input(_ index: Int, _ keeping: Kept) -> FloatPointer {
    if index == shape.layers { return last.start }
    guard case .inputs(let first) = keeping, index >= first else { return layer(index, keeping).input.start }
    let input = inputs[index] ?? Floats(capacity * shape.hidden)
    inputs[index] = input
    return input.start
  }

  private func make() -> Layer {
    let (attention, hidden) = (shape.attention, capacity * shape.hidden)
    return Layer(
      input: Floats(hidden), queryKeyValue: Floats(capacity * attention.width),
      attended: Floats(capacity * attention.queryWidth), logSums: Floats(capacity * attention.heads),
      middle: Floats(hidden), up: Floats(capacity * shape.up))
  }
}
