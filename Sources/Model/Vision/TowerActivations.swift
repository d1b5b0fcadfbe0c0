/// What a tower's forward pass leaves for the backward pass: of each layer, or only of the one at work. Memory is kept
/// from step to step, as the decoder's is.
final class TowerActivations {
  /// Per token: layer's input, q k v (turned), attention's output, log-sum of each head, MLP's input, fc1 or gate and up.
  struct Layer {
    let input: Floats
    let queryKeyValue: Floats
    let attended: Floats
    let logSums: Floats
    let middle: Floats
    let up: Floats
  }

  private let config: VisionConfig.Tower
  private var capacity = 0
  private var kept: [Int: Layer] = [:]
  private var inputs: [Int: Floats] = [:]
  private var shared: Layer?
  /// What the first norm gets (CLIP).
  private(set) var embedded = Floats(0)
  /// The stream behind the last layer.
  private(set) var last = Floats(0)
  /// Its gradient, on the way back.
  private(set) var gradient = Floats(0)
  private(set) var cosines = Floats(0)
  private(set) var sines = Floats(0)

  init(_ config: VisionConfig.Tower) { self.config = config }

  /// Makes room for so many tokens.
  func reserve(_ tokens: Int) {
    guard tokens > capacity else { return }
    kept = [:]
    inputs = [:]
    shared = nil
    capacity = tokens
    (embedded, last) = (Floats(tokens * config.hiddenSize), Floats(tokens * config.hiddenSize))
    gradient = Floats(0)
    let turned = config.windows == nil ? 0 : tokens * config.headSize / 2
    (cosines, sines) = (Floats(turned), Floats(turned))
  }

  /// A gradient of zeros.
  func clearGradient() {
    if gradient.count < capacity * config.hiddenSize { gradient = Floats(capacity * config.hiddenSize) }
    gradient.clear()
  }

  /// Where a layer writes: memory of its own, or with `isKept` false what all such layers share.
  func layer(_ index: Int, isKept: Bool) -> Layer {
    guard isKept else {
      let layer = shared ?? make()
      shared = layer
      return layer
    }
    let layer = kept[index] ?? make()
    kept[index] = layer
    return layer
  }

  /// A layer's input alone, for what is computed again.
  func input(_ index: Int) -> Floats {
    let input = inputs[index] ?? Floats(capacity * config.hiddenSize)
    inputs[index] = input
    return input
  }

  private func make() -> Layer {
    let (tokens, hidden) = (capacity, config.hiddenSize)
    return Layer(
      input: Floats(tokens * hidden), queryKeyValue: Floats(tokens * 3 * hidden), attended: Floats(tokens * hidden),
      logSums: Floats(tokens * config.heads), middle: Floats(tokens * hidden), up: Floats(tokens * config.upWidth))
  }

  /// Bytes for a token of a layer that is kept whole.
  static func bytesPerToken(_ config: VisionConfig.Tower) -> Int {
    4 * (6 * config.hiddenSize + config.heads + config.upWidth)
  }
}

extension VisionConfig.Tower {
  /// Width of what the MLP's first product gives.
  var upWidth: Int { (isGated ? 2 : 1) * intermediateSize }
}
