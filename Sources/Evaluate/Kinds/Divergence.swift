import Base
import Measure
import Model
import Text

/// KL(base ‖ model) in nats per token: how far the model's predictions have moved from the base's. The items are rows
/// or documents, each weighted by its number of positions.
package struct DivergenceTask: TaskKind {
  package static let name = "kl"
  package static let comparesWithBase = true
  package enum Positions: String, Sendable, CaseIterable {
    /// The prediction after every token.
    case all
    /// The prediction after the last token: the first token of the answer to a prompt.
    case last
  }

  package var positions = Positions.all
  /// Tokens per forward pass: longer rows are cut into independent pieces of this size.
  package var context = 512

  package init() {}

  package init(_ table: TOMLReader) throws {
    positions = try table.optionalWord("positions") ?? positions
    context = try table.optionalInt("context", in: 1...(1 << 20)) ?? context
  }

  package var needs: EvaluationItem.Needs { EvaluationItem.Needs(texts: true, prompts: true) }

  package var settings: [JSON.Member] {
    [
      .init("positions", .string(positions.rawValue)), .init("context", JSON(context)),
      .init("direction", "base || model"),
    ]
  }

  package func run(_ run: TaskRun) throws -> TaskOutcome {
    var (sequences, ranges, owners): ([TokenSequence], [Range<Int>], [Int]) = ([], [], [])
    for (i, item) in run.task.items.enumerated() {
      let row = try run.showing(i) { try tokens(item, i, run) }
      for (piece, range) in pieces(of: row) {
        try run.check(length: piece.count, of: i)
        sequences.append(piece)
        ranges.append(range)
        owners.append(i)
      }
    }
    var weights = [Double](repeating: 0, count: run.task.items.count)
    for (owner, range) in zip(owners, ranges) { weights[owner] += Double(range.count) }
    var sums = [Double](repeating: 0, count: weights.count)
    if let base = run.base {
      try Divergence.check(base: base, model: run.model)
      for batch in Batches.split(sequences.map(\.count), limit: TaskRun.tokensAtOnce) {
        let values = try Divergence.sums(
          base: base, model: run.model, sequences: Array(sequences[batch]), positions: Array(ranges[batch]))
        for (owner, value) in zip(owners[batch], values) { sums[owner] += try run.checked(value, of: owner) }
        run.report(batch.upperBound < owners.count ? owners[batch.upperBound] : weights.count)
      }
    }
    return TaskOutcome(
      metrics: [
        .init(
          name: ForgettingSummary.klMetric, unit: .nats, higherIsBetter: false,
          scores: ItemScores(zip(sums, weights).map { $0 / $1 }, weights: weights, unit: .nats))
      ])
  }

  /// Pieces of a row, and the tokens in each after which predictions are compared. A row with images stays whole, since
  /// its pieces would lack the images' context.
  private func pieces(of row: TokenSequence) -> [(TokenSequence, Range<Int>)] {
    if positions == .last { return [(row, row.count - 1..<row.count)] }
    guard row.images.isEmpty else { return [(row, 0..<row.count)] }
    return stride(from: 0, to: row.count, by: context).map { start in
      let piece = TokenSequence(Array(row.ids[start..<min(start + context, row.count)]))
      return (piece, 0..<piece.count)
    }
  }

  private func tokens(_ item: EvaluationItem, _ i: Int, _ run: TaskRun) throws -> TokenSequence {
    let row: TokenSequence
    if case .text(let text) = item.content {
      row = TokenSequence(try run.tokenizer.encode(text, addingSpecialTokens: true))
    } else {
      row = try run.task.prompt.tokens(item, run.tokenizer)
    }
    guard !row.isEmpty else { throw run.error(i, "has no tokens") }
    return row
  }
}

/// KL(base ‖ model) of next-token distributions: Σ p(v) · (log p(v) − log q(v)), p of the base, in nats.
package enum Divergence {
  /// Maximum bytes of the base's log-probabilities held at once.
  private static let maximumHeld = 256 << 20

  /// - Throws: `refused` if the vocabularies differ in size.
  package static func check(base: any NextTokenModel, model: any NextTokenModel) throws {
    guard base.vocabularySize == model.vocabularySize else {
      throw VPatchError(
        .refused, nil,
        "the vocabularies differ: \(Format.grouped(base.vocabularySize)) tokens in the base, "
          + "\(Format.grouped(model.vocabularySize)) in the model",
        remedy: "compare the model with the base that it was tuned from")
    }
  }

  /// The sum over the chosen positions of each sequence, in nats.
  /// - Parameters:
  ///   - positions: for each sequence, the tokens after which predictions are compared.
  package static func sums(
    base: any NextTokenModel, model: any NextTokenModel, sequences: [TokenSequence], positions: [Range<Int>]
  ) throws -> [Double] {
    precondition(sequences.count == positions.count, "one range of positions per sequence")
    let vocabulary = base.vocabularySize
    precondition(vocabulary == model.vocabularySize, "the vocabularies differ")
    var sums = [Double](repeating: 0, count: sequences.count)
    for block in blocks(positions, atOnce: max(1, maximumHeld / (4 * vocabulary))) {
      let part = block.map { sequences[$0.sequence] }
      let ranges = block.map(\.positions)
      let count = ranges.reduce(0) { $0 + $1.count }
      let held = UnsafeMutableBufferPointer<Float>.allocate(capacity: count * vocabulary)
      defer { held.deallocate() }
      var next = 0
      try base.forEachDistribution(of: part, at: ranges) { _, _, values in
        (held.baseAddress! + next * vocabulary).initialize(from: values.baseAddress!, count: vocabulary)
        next += 1
      }
      next = 0
      try model.forEachDistribution(of: part, at: ranges) { sequence, _, values in
        let before = UnsafeBufferPointer(start: held.baseAddress! + next * vocabulary, count: vocabulary)
        sums[block[sequence].sequence] += LogProbabilities.divergence(of: values, from: before)
        next += 1
      }
    }
    return sums
  }

  /// Splits sequences with ranges of positions into blocks of at most `atOnce` positions.
  static func blocks(_ positions: [Range<Int>], atOnce: Int) -> [[(sequence: Int, positions: Range<Int>)]] {
    var blocks: [[(sequence: Int, positions: Range<Int>)]] = []
    var room = 0
    for (sequence, range) in positions.enumerated() {
      var rest = range
      while !rest.isEmpty {
        if room == 0 {
          blocks.append([])
          room = atOnce
        }
        let count = min(room, rest.count)
        blocks[blocks.count - 1].append((sequence, rest.prefix(count)))
        (rest, room) = (rest.dropFirst(count), room - count)
      }
    }
    return blocks
  }
}
