import Apply
import PatchFormat
import Text

/// A language model from a folder, with patches over it: what it thinks of texts, what it writes, and how it learns.
///
/// It works on one thing at a time; the work itself runs on the threads of its `compute`.
public final class LanguageModel {
  public let config: ModelConfig
  public let weights: ModelWeights
  public let compute: Compute
  let pass: DecoderPass

  /// Tokens that go through the layers at once where nothing is kept.
  static let portion = 2048

  /// - Parameter view: a model's folder, and the patches that are applied to it in memory.
  /// - Throws: `invalid` where config and tensors disagree, `refused` for what is not known.
  public convenience init(_ view: ModelView, compute: Compute) throws {
    try self.init(
      config: ModelConfig(folder: view.path), weights: ModelWeights(view, threads: compute.threads), compute: compute)
  }

  init(config: ModelConfig, weights: ModelWeights, compute: Compute) throws {
    self.config = config
    self.weights = weights
    self.compute = compute
    pass = DecoderPass(try Decoder(config, weights), compute)
  }

  /// The same model as its files and patches have it, whatever is being tuned in this one; with scratch memory of its
  /// own.
  public func untuned() throws -> LanguageModel {
    try LanguageModel(
      config: config, weights: weights.untuned(),
      compute: Compute(threads: compute.threads, precision: compute.precision))
  }

  /// - Throws: `invalid` for a token that the model does not have, `refused` for a text longer than its window.
  func check(_ sequences: [[Int32]]) throws {
    for sequence in sequences {
      if let window = config.window, sequence.count > window {
        throw VPatchError(
          .refused, weights.view.path,
          "has a sliding window of \(Format.counted(window, "token")), and a text has \(Format.grouped(sequence.count))",
          remedy: "longer texts than the window are not known yet: use shorter ones")
      }
      if let id = sequence.first(where: { $0 < 0 || Int($0) >= config.vocabularySize }) {
        throw VPatchError(
          .invalid, weights.view.path, "has no token \(id): its vocabulary has \(config.vocabularySize)",
          remedy: "is the tokenizer this model's?")
      }
    }
  }

  /// Sequences in portions that go through the layers together.
  private func portions(_ sequences: [[Int32]]) -> [Range<Int>] {
    var portions: [Range<Int>] = []
    var start = 0
    var tokens = 0
    for (i, sequence) in sequences.enumerated() {
      if i > start, tokens + sequence.count > Self.portion {
        portions.append(start..<i)
        (start, tokens) = (i, 0)
      }
      tokens += sequence.count
    }
    if start < sequences.count { portions.append(start..<sequences.count) }
    return portions
  }

  /// Runs sequences through the layers, some at a time.
  func forEachPortion(
    _ sequences: [[Int32]], _ body: (_ which: Range<Int>, _ batch: TokenBatch, _ stream: FloatPointer) throws -> Void
  ) throws {
    try check(sequences)
    for which in portions(sequences) {
      let batch = TokenBatch(Array(sequences[which]))
      guard batch.count > 0 else { continue }
      try body(which, batch, pass.forward(batch))
    }
  }
}

extension LanguageModel: NextTokenModel {
  public var vocabularySize: Int { config.vocabularySize }

  public func scores(of sequences: [[Int32]]) throws -> [[TokenScore]] {
    var scores = sequences.map { _ in [TokenScore]() }
    try forEachPortion(sequences) { which, batch, stream in
      let targets = batch.sequences.flatMap { tokens in
        tokens.dropLast().map { DecoderPass.Target(row: $0, id: batch.ids[$0 + 1]) }
      }
      var rest = pass.scores(stream, targets)[...]
      for (i, tokens) in zip(which, batch.sequences) {
        scores[i] = Array(rest.prefix(max(0, tokens.count - 1)))
        rest = rest.dropFirst(scores[i].count)
      }
    }
    return scores
  }

  public func forEachDistribution(
    of sequences: [[Int32]], at positions: [Range<Int>],
    _ body: (_ sequence: Int, _ position: Int, _ logProbabilities: UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    try forEachPortion(sequences) { which, batch, stream in
      let wanted = zip(which, batch.sequences).flatMap { i, tokens in
        positions[i].map { (sequence: i, position: $0, row: tokens.lowerBound + $0) }
      }
      try pass.forEachDistribution(stream, rows: wanted.map(\.row)) { i, distribution in
        try body(wanted[i].sequence, wanted[i].position, distribution)
      }
    }
  }
}
