import Base
import Text

/// Continues several texts at once, one token per step.
final class Generation {
  private let model: LanguageModel
  private var caches: [KeyValueCache]
  /// The texts so far.
  private var texts: [TokenSequence]
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
    texts = prompts
    for i in prompts.indices { try read(i) }
  }

  /// Processes a whole text.
  private func read(_ text: Int) throws {
    let (batch, features) = try model.batch([texts[text]])
    positions[text] = batch.positions.next(after: 0..<batch.count)
    caches[text].count = 0
    // Long texts in parts: only keys and values have to be kept.
    for start in stride(from: 0, to: batch.count, by: LanguageModel.portion) {
      run([text], batch.part(start..<min(start + LanguageModel.portion, batch.count)), features)
    }
  }

  /// Calls `body` with the log-probabilities of the next token for some of the texts.
  func forEachDistribution(_ texts: [Int], _ body: (Int, UnsafeBufferPointer<Float>) throws -> Void) rethrows {
    try model.pass.forEachDistribution(last.start, rows: texts) { i, distribution in try body(texts[i], distribution) }
  }

  /// Appends a token to some of the texts.
  ///
  /// Some rotary embeddings depend on the text's length. Where a token changes its frequencies, the whole text is
  /// processed again: the cache has keys of the old ones.
  func append(_ tokens: [(text: Int, id: Int32)]) throws {
    for (text, id) in tokens { texts[text] = TokenSequence(texts[text].ids + [id], images: texts[text].images) }
    let (again, next) = (
      tokens.filter { hasOtherFrequencies($0.text) }, tokens.filter { !hasOtherFrequencies($0.text) }
    )
    if !next.isEmpty {
      let batch = TokenBatch(next.map { TokenSequence([$0.id]) }, from: next.map { positions[$0.text] })
      for (text, _) in next { positions[text] += 1 }
      run(next.map(\.text), batch, nil)
    }
    for (text, _) in again { try read(text) }
  }

  /// Whether the next position changes the rotary embedding's frequencies.
  private func hasOtherFrequencies(_ text: Int) -> Bool {
    [model.config.rotary, model.config.slidingRotary].compactMap(\.self).contains {
      $0.variant(ofLength: positions[text]) != $0.variant(ofLength: positions[text] + 1)
    }
  }

  private func run(_ texts: [Int], _ batch: TokenBatch, _ features: FloatPointer?) {
    let stream = model.pass.forward(batch, features: features, caches: texts.map { caches[$0] })
    for (text, tokens) in zip(texts, batch.sequences) {
      (last.start + text * width).update(from: stream + (tokens.upperBound - 1) * width, count: width)
    }
  }
}
