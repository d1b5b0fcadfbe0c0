/// What a forward pass leaves for the backward pass: of each layer, or only of the one at work.
///
/// Memory is kept from step to step: getting hundreds of megabytes anew from the system costs a tenth of a step.
final class Activations {
  /// Per token: layer's input, q k v (turned), attention's output, log-sum of each head, MLP's input, gate and up.
  struct Layer {
    let input: Floats
    let attention: Attention
    let middle: Floats
    let gateUp: Floats
  }

  struct Attention {
    let queryKeyValue: Floats
    let output: Floats
    let logSums: Floats
  }

  private let config: ModelConfig
  private var capacity = 0
  private var kept: [Int: Layer] = [:]
  private var inputs: [Int: Floats] = [:]
  private var shared: Layer?
  /// The residual stream behind the last layer.
  private(set) var last = Floats(0)
  /// Its gradient, on the way back.
  private(set) var gradient = Floats(0)
  private(set) var cosines = Floats(0)
  private(set) var sines = Floats(0)

  init(_ config: ModelConfig) { self.config = config }

  /// Makes room for so many tokens.
  func reserve(_ tokens: Int) {
    guard tokens > capacity else { return }
    kept = [:]
    inputs = [:]
    shared = nil
    capacity = tokens
    last = Floats(tokens * config.hiddenSize)
    gradient = Floats(tokens * config.hiddenSize)
    cosines = Floats(tokens * config.rotary.half)
    sines = Floats(tokens * config.rotary.half)
  }

  /// Where a layer writes: memory of its own, or with `isKept` false what all such layers share.
  func layer(_ index: Int, isKept: Bool) -> Layer {
    if isKept {
      if let held = kept[index] { return held }
      let made = make()
      kept[index] = made
      return made
    }
    if let shared { return shared }
    let made = make()
    shared = made
    return made
  }

  /// A layer's input alone, for what is computed again.
  func input(_ index: Int) -> Floats {
    if let held = inputs[index] { return held }
    let made = Floats(capacity * config.hiddenSize)
    inputs[index] = made
    return made
  }

  private func make() -> Layer {
    Layer(
      input: Floats(capacity * config.hiddenSize),
      attention: Attention(
        queryKeyValue: Floats(capacity * config.attentionWidth), output: Floats(capacity * config.queryWidth),
        logSums: Floats(capacity * config.heads)),
      middle: Floats(capacity * config.hiddenSize), gateUp: Floats(capacity * 2 * config.intermediateSize))
  }

  /// Bytes for a token of a layer that is kept whole.
  static func bytesPerToken(_ config: ModelConfig) -> Int {
    4 * (2 * config.hiddenSize + config.attentionWidth + config.queryWidth + config.heads + 2 * config.intermediateSize)
  }
}
