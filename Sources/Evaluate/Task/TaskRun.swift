import Base
import Measure
import Model
import Text

/// A run of one task on one model.
package struct TaskRun {
  package let task: EvaluationTask
  let model: any NextTokenModel
  /// What the model is compared with, by kinds that do that; nil where it is the base itself.
  var base: (any NextTokenModel)?
  let tokenizer: any EvaluationTokenizer
  /// Maximum sequence length of the model; nil if unknown.
  let maximumLength: Int?
  /// Called with the number of finished items.
  let report: (_ done: Int) -> Void

  /// Approximate tokens per call of the model: enough to use it fully, few enough for frequent progress reports.
  static let tokensAtOnce = 2048

  func error(_ item: Int, _ reason: String, remedy: String? = nil) -> VPatchError {
    VPatchError(.refused, "the task \(task.name)", "item \(item + 1) \(reason)", remedy: remedy)
  }

  /// - Throws: `refused` for a sequence longer than the model's maximum: cutting it would change the question.
  func check(length: Int, of item: Int) throws {
    guard length <= maximumLength ?? .max else {
      throw error(
        item, "has \(Format.counted(length, "token")); the model's maximum is \(Format.grouped(maximumLength!))",
        remedy: "remove it, or use fewer examples")
    }
  }

  /// - Throws: errors of a prompt, with the item's number.
  func showing<T>(_ item: Int, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as VPatchError where error.subject == nil {
      throw self.error(item, "cannot be encoded: \(error.reason)", remedy: error.remedy)
    } catch let error as VPatchError where task.items[item].images[error.subject!] != nil {
      throw self.error(
        item, "has the image \(Path.name(error.subject!).printable), which \(error.reason)", remedy: error.remedy)
    }
  }

  func checked(_ value: Double, of item: Int) throws -> Double {
    guard value.isFinite else {
      throw error(item, "has a score that is not finite: the model's weights are damaged, or training diverged")
    }
    return value
  }

  /// The tokens of every item's prompt.
  /// - Parameter room: number of tokens that must fit after the prompt.
  func prompts(room: Int = 0) throws -> [TokenSequence] {
    try task.items.enumerated().map { i, item in
      let prompt = try showing(i) { try task.prompt.tokens(item, tokenizer) }
      guard !prompt.isEmpty else { throw error(i, "has no tokens") }
      try check(length: prompt.count + room, of: i)
      return prompt
    }
  }

  /// Checks all images before the run, so that an unusable one does not end it after hours.
  /// - Parameter report: called with the number of items checked; not called if no item has images.
  func checkImages(report: (_ done: Int) -> Void) throws {
    guard task.items.contains(where: { !$0.images.isEmpty }) else { return }
    for (i, item) in task.items.enumerated() {
      if !item.images.isEmpty { _ = try showing(i) { try task.prompt.tokens(item, tokenizer) } }
      report(i + 1)
    }
  }

  /// Scores sequences, batch by batch. Sequences of one item are adjacent.
  /// - Parameter items: the item of each sequence.
  func scores(of sequences: [TokenSequence], items: [Int]) throws -> [[TokenScore]] {
    var scores: [[TokenScore]] = []
    for batch in Batches.split(sequences.map(\.count), limit: Self.tokensAtOnce) {
      scores += try model.scores(of: Array(sequences[batch]))
      report(batch.upperBound < items.count ? items[batch.upperBound] : task.items.count)
    }
    return scores
  }

  /// Continues the prompts by greedy decoding, batch by batch.
  /// - Parameter observe: called with the log-probabilities from which each token of an item is chosen.
  func continueGreedily(
    _ prompts: [TokenSequence], stop: Set<Int32>, limit: Int,
    observe: ((_ item: Int, _ logProbabilities: UnsafeBufferPointer<Float>) -> Void)? = nil
  ) throws -> [[Int32]] {
    var answers: [[Int32]] = []
    for batch in Batches.split(prompts.map { $0.count + limit }, limit: Self.tokensAtOnce) {
      answers += try model.continueGreedily(
        Array(prompts[batch]), stop: stop, limit: limit,
        observe: observe.map { observe in { prompt, _, values in observe(batch.lowerBound + prompt, values) } })
      report(batch.upperBound)
    }
    return answers
  }

  /// The model's greedy answers to the prompts, decoded.
  func answers(limit: Int) throws -> [String] {
    try continueGreedily(try prompts(room: limit), stop: tokenizer.endTokens, limit: limit).map(tokenizer.decode)
  }
}

/// Outcome of a task.
package struct TaskOutcome {
  struct Metric {
    let name: String
    let unit: MeasurementUnit
    let higherIsBetter: Bool
    let scores: ItemScores
  }

  /// The first is the task's main metric.
  let metrics: [Metric]
  /// Details of each item for people to read.
  var details: [JSON] = []
}
