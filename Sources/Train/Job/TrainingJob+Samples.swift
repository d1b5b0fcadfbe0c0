import Base
import Evaluate
import Measure
import Model
import Text

extension TrainingJob {
  /// Maximum number of tokens of a sample's answer.
  private static let sampleTokens = 32

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
    return rows.indices.map { i in
      let (row, start) = rows[i]
      let answer = row.labels.dropFirst(start).prefix { $0 != Example.ignored }
      return .init(
        prompt: tokenizer.decode(prompts[i].ids), expected: tokenizer.decode(Array(answer)), before: before[i],
        after: after[i])
    }
  }
}
