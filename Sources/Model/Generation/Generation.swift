import Base
import Text

/// Continues several texts at once, one token per step.
final class Generation {
  private let model: LanguageModel
  private var caches: [KeyValueCache]
  /// Position of each text's next token.
  private var positions: [Int]
  /// The residual stream after each text's last token.
  private let last: Floats
  private let width: Int

  /// Upper limit: keys and values of this many tokens take some gigabytes.
  static let mostTokens = 1 << 20

  /// Processes the prompts (prefill).
  /// - Parameter limit: maximum number of new tokens per text.
  /// - Throws: `refused` if that is too many.
  init(_ model: LanguageModel, _ prompts: [TokenSequence], limit: Int) throws {
    try model.check(prompts)
    guard limit <= Self.mostTokens else {
      throw VPatchError(
        .refused, nil, "an answer cannot have up to \(Format.grouped(limit)) tokens",
        remedy: "ask for at most \(Format.grouped(Self.mostTokens))")
    }
    if prompts.contains(where: \.isEmpty) {
      throw VPatchError(.invalid, nil, "the prompt has no tokens", remedy: "give a text that is not empty")
    }
    self.model = model
    width = model.config.hiddenSize
    caches = prompts.map { KeyValueCache(model.config, capacity: $0.count + min(limit, 256)) }
    last = Floats(prompts.count * width)
    positions = prompts.map { _ in 0 }
    for (i, prompt) in prompts.enumerated() {
      let (batch, features) = try model.batch([prompt])
      positions[i] = batch.positions.next(after: 0..<batch.count)
      // Long prompts in parts: only keys and values have to be kept.
      for start in stride(from: 0, to: batch.count, by: LanguageModel.portion) {
        run([i], batch.part(start..<min(start + LanguageModel.portion, batch.count)), features)
      }
    }
  }

  /// Calls `body` with the log-probabilities of the next token for some of the texts.
  func forEachDistribution(_ texts: [Int], _ body: (Int, UnsafeBufferPointer<Float>) throws -> Void) rethrows {
    try model.pass.forEachDistribution(last.start, rows: texts) { i, distribution in try body(texts[i], distribution) }
  }

  /// Appends a token to some of the texts.
  func append(_ tokens: [(text: Int, id: Int32)]) {
    let batch = TokenBatch(tokens.map { TokenSequence([$0.id]) }, from: tokens.map { positions[$0.text] })
    for (text, _) in tokens { positions[text] += 1 }
    run(tokens.map(\.text), batch, nil)
  }

  private func run(_ texts: [Int], _ batch: TokenBatch, _ features: FloatPointer?) {
    let stream = model.pass.forward(batch, features: features, caches: texts.map { caches[$0] })
    for (text, tokens) in zip(texts, batch.sequences) {
      (last.start + text * width).update(from: stream + (tokens.upperBound - 1) * width, count: width)
    }
  }
}
