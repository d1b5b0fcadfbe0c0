/// Activations of a transformer's forward pass for its backward pass: of every layer, or only of the current one.
///
/// Memory is reused from step to step: allocating hundreds of megabytes again would take a tenth of a step.
final class Activations {
  /// Activations kept for the backward pass.
  enum Kept {
    case nothing
    /// Everything for the layers from this one on.
    case activations(from: Int)
    /// The inputs of layers from this one on; the rest is recomputed.
    case inputs(from: Int)

    init(_ keeping: ActivationCheckpointing, from lowest: Int) {
      self = keeping == .activations ? .activations(from: lowest) : .inputs(from: lowest)
    }

    /// Whether everything of a layer is kept.
    func isKept(_ layer: Int) -> Bool {
      if case .activations(let first) = self { return layer >= first }
      return false
    }
  }

  /// Numbers per token.
  struct Shape: Sendable {
    let layers: Int
    let hidden: Int
    let attention: Attention.Shape
    /// Width of the MLP's first product: fc1, or gate and up side by side.
    let up: Int
    /// By how many rotary embeddings queries and keys are rotated, each in some of the layers.
    let rotaries: Int
    /// Pairs per head that are rotated; nil for all.
    var rotaryPairs: Int?
    /// Whether queries and keys are kept before their norms, too.
    var keepsUnnormed = false
    /// Whether the outputs of attention and MLP are kept before their norms.
    var keepsBranches = false

    /// Bytes per token of a layer that is kept whole.
    var layerBytes: Int {
      4 * (2 * hidden + attention.width + attention.queryWidth + attention.heads + up + unnormed + 2 * branch)
    }

    /// Widths of what some families keep in addition.
    var unnormed: Int { keepsUnnormed ? attention.queryWidth + attention.keyValueWidth : 0 }
    var branch: Int { keepsBranches ? hidden : 0 }

    /// Bytes per token of everything kept for the backward pass down to a layer.
    func bytes(_ keeping: ActivationCheckpointing, from lowest: Int) -> Int {
      switch keeping {
      case .activations: (layers - lowest + (lowest > 0 ? 1 : 0)) * layerBytes
      case .inputs: (layers - lowest) * 4 * hidden + layerBytes
      }
    }
  }

  /// Per token: layer's input, q k v (rotated), attention's output, log-sum of each head, MLP's input, output of the
  /// MLP's first product.
  struct Layer {
    let input: Floats
    let queryKeyValue: Floats
    let attended: Floats
    let logSums: Floats
    let middle: Floats
    let up: Floats
    /// Queries and keys before their norms, [tokens, their widths].
    let unnormed: Floats
    /// The outputs of attention and MLP before their norms, [tokens, hidden].
    let attentionBranch: Floats
    let mlpBranch: Floats
  }

  let shape: Shape
  private var capacity = 0
  private var kept: [Int: Layer] = [:]
  private var inputs: [Int: Floats] = [:]
  private var shared: Layer?
  private var last = Floats(0)
  private var heldGradient = Floats(0)
  /// Cosines and sines of the angles by which queries and keys are rotated, [tokens, headSize / 2], of each rotary
  /// embedding.
  private(set) var rotations: [(cosines: Floats, sines: Floats)] = []

  init(_ shape: Shape) { self.shape = shape }

  /// Allocates memory for this many tokens.
  func reserve(_ tokens: Int) {
    guard tokens > capacity else { return }
    kept = [:]
    inputs = [:]
    shared = nil
    capacity = tokens
    last = Floats(tokens * shape.hidden)
    heldGradient = Floats(0)
    let pairs = shape.rotaryPairs ?? shape.attention.headSize / 2
    rotations = (0..<shape.rotaries).map { _ in (Floats(tokens * pairs), Floats(tokens * pairs)) }
  }

  /// Buffer for the gradient of the residual stream; not initialised.
  var gradient: Floats {
    if heldGradient.count < capacity * shape.hidden { heldGradient = Floats(capacity * shape.hidden) }
    return heldGradient
  }

  /// Buffers that a layer writes: its own if it is kept, otherwise shared ones.
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

  /// A layer's input; after the last one, its output.
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
      middle: Floats(hidden), up: Floats(capacity * shape.up), unnormed: Floats(capacity * shape.unnormed),
      attentionBranch: Floats(capacity * shape.branch), mlpBranch: Floats(capacity * shape.branch))
  }
}
