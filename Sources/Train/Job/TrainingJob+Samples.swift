import Base
import Evaluate
import Measure
import Model
import Text

extension TrainingJob {
  /// Maximum number of tokens of a sample's answer.
  private static let sampleTokens = 32
  /// Number of prompts that tell which lines all have.
  private static let framed = 50

  /// Answers to some prompts of the data, by the base and by the tuned model. Prompts of validation rows where there
  /// are any, since the model has not seen their answers.
  ///
  /// Samples are for people to read, so a model without a tokenizer has none.
  func samples(of tuned: () throws -> LanguageModel) throws -> [TrainingRecord.Sample] {
    guard inputs.sampleCount > 0,
      let tokenizer = try? ModelTokenizer(inputs.base.folder(), chatTemplate: inputs.chatTemplate)
    else { return [] }
    let rows = (run.validation.isEmpty ? run.examples : run.validation).prefix(inputs.sampleCount).compactMap { row in
      row.labels.firstIndex { $0 != Example.ignored }.flatMap { $0 > 0 ? (row: row, start: $0) : nil }
    }
    guard !rows.isEmpty else { return [] }
    let prompts = rows.map { TokenSequence(Array($0.row.ids.prefix($0.start)), images: $0.row.sequence.images) }
    func answers(_ model: LanguageModel) throws -> [String] {
      try model.continueGreedily(prompts, stop: tokenizer.endTokens, limit: Self.sampleTokens, observe: nil).map(
        tokenizer.decode)
    }
    let (before, after) = (try answers(model.frozen()), try answers(tuned()))
    let frame = PromptFrame(
      run.examples.prefix(Self.framed).map { row in
        tokenizer.decode(Array(row.ids.prefix(row.labels.firstIndex { $0 != Example.ignored } ?? 0)))
      })
    return rows.indices.map { i in
      let (row, start) = rows[i]
      let answer = row.labels.dropFirst(start).prefix { $0 != Example.ignored }
      return .init(
        prompt: frame.content(of: tokenizer.decode(prompts[i].ids)), expected: tokenizer.decode(Array(answer)),
        before: before[i],
        after: after[i])
    }
  }
}

/// The lines at the beginning and at the end of all prompts, such as those that a chat template writes: they say nothing
/// about a prompt.
private struct PromptFrame {
  private let head: ArraySlice<Substring>
  private let tail: ArraySlice<Substring>

  init(_ prompts: [String]) {
    let all = prompts.map(Self.lines)
    let least = all.map(\.count).min() ?? 0
    func shared(_ line: ([Substring], Int) -> Substring) -> Int {
      (0..<least).prefix { i in all.allSatisfy { line($0, i) == line(all[0], i) } }.count
    }
    // One prompt alone has no frame, and none is all frame.
    let first = all.count > 1 ? shared { $0[$1] } : 0
    let last = all.count > 1 ? min(shared { $0[$0.count - 1 - $1] }, least - first) : 0
    head = (all.first ?? []).prefix(first == least ? 0 : first)
    tail = (all.first ?? []).suffix(first == least ? 0 : last)
  }

  func content(of prompt: String) -> String {
    var lines = Self.lines(prompt)[...]
    if lines.starts(with: head) { lines = lines.dropFirst(head.count) }
    if lines.suffix(tail.count) == tail { lines = lines.dropLast(tail.count) }
    return lines.joined(separator: "\n")
  }

  private static func lines(_ text: String) -> [Substring] {
    text.split(separator: "\n", omittingEmptySubsequences: false)
  }
}
