import Base
import Text

/// Several texts being continued at once, a token each at a time.
final class Generation {
  private let model: LanguageModel
  private var caches: [KeyValueCache]
  /// Of each text's next token.
  private var positions: [Int]
  /// The residual stream behind each text's last token.
  private let last: Floats
  private let width: Int

  /// More than any answer; keys and values of so many are some gigabytes.
  static let mostTokens = 1 << 20

  /// Reads the prompts.
  /// - Parameter limit: most tokens that a text will get.
  /// - Throws: `refused` where they are too many.
  init(_ model: LanguageModel, _ prompts: [TokenSequence], limit: Int) throws {
    try model.check(prompts)
    guard limit <= Self.mostTokens else {
      throw VPatchError(
        .refused, nil, "an answer of up to \(Format.grouped(limit)) tokens is asked for",
        remedy: "ask for at most \(Format.grouped(Self.mostTokens))")
    }
    if prompts.contains(where: \.isEmpty) {
      throw VPatchError(.invalid, nil, "has nothing to go on from: the prompt has no token", remedy: "give a text")
    }
    if let window = model.config.window, let longest = prompts.map(\.count).max(), longest + limit > window {
      throw VPatchError(
        .refused, model.weights.view.path,
        "has a sliding window of \(window) tokens, and the prompt with its answer may have \(longest + limit)",
        remedy: "ask for fewer tokens")
    }
    self.model = model
    width = model.config.hiddenSize
    caches = prompts.map { KeyValueCache(model.config, capacity: $0.count + min(limit, 256)) }
    last = Floats(prompts.count * width)
    positions = prompts.map { _ in 0 }
    for (i, prompt) in prompts.enumerated() {
      let (batch, features) = try model.batch([prompt])
      positions[i] = batch.positions.next(after: 0..<batch.count)
      // Long prompts in parts: nothing needs to be kept of them but keys and values.
      for start in stride(from: 0, to: batch.count, by: LanguageModel.portion) {
        run([i], batch.part(start..<min(start + LanguageModel.portion, batch.count)), features)
      }
    }
  }

  /// Calls `body` with the log-probabilities of what comes next in some of the texts.
  func forEachDistribution(_ texts: [Int], _ body: (Int, UnsafeBufferPointer<Float>) throws -> Void) rethrows {
    try model.pass.forEachDistribution(last.start, rows: texts) { i, distribution in try body(texts[i], distribution) }
  }

  /// Puts a token behind each of some texts.
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
