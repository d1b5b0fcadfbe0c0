import Base
import Measure
import Text

/// Which of several answers the model finds most likely, scored as in lm-evaluation-harness 0.4.13.
package struct MultipleChoiceTask: TaskKind {
  package static let name = "multiple-choice"
  package enum Metric: String, Sendable, CaseIterable {
    /// By log-likelihood.
    case accuracy = "acc"
    /// By log-likelihood divided by the choice's length in characters (Unicode scalars).
    case byLength = "acc_norm"
    /// By log-likelihood divided by the choice's length in bytes of UTF-8.
    case byBytes = "acc_bytes"
  }

  package var metrics: [Metric] = [.byLength, .accuracy]

  package init() {}

  package init(_ table: TOMLReader) throws {
    metrics = try table.optionalWords("metrics") ?? metrics
    guard !metrics.isEmpty else { throw table.error("has no \"metrics\"") }
  }

  package var needs: EvaluationItem.Needs { EvaluationItem.Needs(prompts: true, choices: true) }

  package var settings: [JSON.Member] { [] }

  package func run(_ run: TaskRun) throws -> TaskOutcome {
    var (sequences, owners, continuations): ([TokenSequence], [Int], [Int]) = ([], [], [])
    for (i, item) in run.task.items.enumerated() {
      for choice in item.choices {
        let pair = try run.showing(i) { try self.pair(item, choice, run) }
        guard !pair.context.isEmpty, !pair.continuation.isEmpty else {
          throw run.error(i, "has a prompt or a choice without tokens")
        }
        try run.check(length: pair.context.count + pair.continuation.count, of: i)
        sequences.append(TokenSequence(pair.context.ids + pair.continuation, images: pair.context.images))
        owners.append(i)
        continuations.append(pair.continuation.count)
      }
    }
    var likelihoods = [[Double]](repeating: [], count: run.task.items.count)
    for (scores, (owner, count)) in zip(try run.scores(of: sequences, items: owners), zip(owners, continuations)) {
      let sum = scores.suffix(count).reduce(0) { $0 + Double($1.logProbability) }
      likelihoods[owner].append(try run.checked(sum, of: owner))
    }
    let items = zip(run.task.items, likelihoods)
    return TaskOutcome(
      metrics: metrics.map { metric in
        let right = items.map { item, values in item.correct.contains(metric.choice(values, item.choices)) ? 1.0 : 0 }
        return .init(
          name: metric.rawValue, unit: .share, higherIsBetter: true, scores: ItemScores(right, unit: .share))
      },
      details: items.map { item, values in
        .dictionary([
          "log_likelihoods": .array(values.map { JSON($0) }), "correct": .array(item.correct.map { JSON($0) }),
        ])
      })
  }

  private func pair(
    _ item: EvaluationItem, _ choice: String, _ run: TaskRun
  ) throws -> (context: TokenSequence, continuation: [Int32]) {
    let format = run.task.prompt
    switch format.style {
    case .raw:
      return try ContinuationPair.encode(format.rawContext(item), format.delimiter + choice, run.tokenizer)
    case .chat:
      return (
        try run.tokenizer.encode(chat: format.conversation(item)),
        try run.tokenizer.encode(format.delimiter + choice, addingSpecialTokens: false)
      )
    }
  }
}

extension MultipleChoiceTask.Metric {
  /// Index of the choice with the greatest value; the first of equal ones.
  func choice(_ logLikelihoods: [Double], _ choices: [String]) -> Int {
    let values = zip(logLikelihoods, choices).map { value, choice in
      switch self {
      case .accuracy: value
      case .byLength: value / Double(choice.unicodeScalars.count)
      case .byBytes: value / Double(choice.utf8.count)
      }
    }
    return values.firstIndex(of: values.max()!)!
  }
}

/// A context and its continuation, as tokens.
enum ContinuationPair {
  /// Same as `_encode_pair` of lm-evaluation-harness 0.4.13: white space at the context's end moves to the
  /// continuation, both are encoded together, and the continuation is whatever follows the tokens of the context alone.
  static func encode(
    _ context: [Message.Part], _ continuation: String, _ tokenizer: any EvaluationTokenizer
  ) throws -> (context: TokenSequence, continuation: [Int32]) {
    let whole = try tokenizer.encode(context + [.text(continuation)], addingSpecialTokens: true)
    let head = try tokenizer.encode(trimmed(context), addingSpecialTokens: true)
    return (head, Array(whole.ids.dropFirst(head.count)))
  }

  /// Without white space at its end.
  private static func trimmed(_ parts: [Message.Part]) -> [Message.Part] {
    guard case .text(let text) = parts.last else { return parts }
    let space = text.unicodeScalars.reversed().prefix {
      $0.properties.isWhitespace || (0x1C...0x1F).contains($0.value)
    }
    let kept = String(String.UnicodeScalarView(text.unicodeScalars.dropLast(space.count)))
    return kept.isEmpty ? trimmed(parts.dropLast()) : parts.dropLast() + [.text(kept)]
  }
}
