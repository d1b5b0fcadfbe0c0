import Base
import Measure
import Model
import Text

/// One task while it is measured on one model.
package struct TaskRun {
  package let task: EvaluationTask
  let model: any NextTokenModel
  /// What the model is compared with, by kinds that do that; nil where it is the base itself.
  var base: (any NextTokenModel)?
  let tokenizer: any EvaluationTokenizer
  /// The longest sequence that the model takes; nil where none is known.
  let maximumLength: Int?
  /// Is told how many items are done.
  let report: (_ done: Int) -> Void

  /// About so many tokens are given to the model at once: enough to keep it busy, little enough to report on.
  static let tokensAtOnce = 2048

  func error(_ item: Int, _ reason: String, remedy: String? = nil) -> VPatchError {
    VPatchError(.refused, "the task \(task.name)", "item \(item + 1) \(reason)", remedy: remedy)
  }

  /// - Throws: `refused` for a sequence that the model cannot see whole: what is cut is another question.
  func check(length: Int, of item: Int) throws {
    guard length <= maximumLength ?? .max else {
      throw error(
        item, "has \(Format.counted(length, "token")), and the model takes \(Format.grouped(maximumLength!))",
        remedy: "take it out, or show fewer examples")
    }
  }

  /// - Throws: an error that is of the prompt alone as one that names the item.
  func showing<T>(_ item: Int, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as VPatchError where error.subject == nil {
      throw self.error(item, "cannot be shown: \(error.reason)", remedy: error.remedy)
    } catch let error as VPatchError where task.items[item].images[error.subject!] != nil {
      throw self.error(
        item, "has the image \(Path.name(error.subject!).printable), which \(error.reason)", remedy: error.remedy)
    }
  }

  func checked(_ value: Double, of item: Int) throws -> Double {
    guard value.isFinite else {
      throw error(item, "gets no number from the model: its weights are damaged, or diverged")
    }
    return value
  }

  /// The tokens of every item's prompt.
  /// - Parameter room: how many tokens are to fit behind it.
  func prompts(room: Int = 0) throws -> [TokenSequence] {
    try task.items.enumerated().map { i, item in
      let prompt = try showing(i) { try task.prompt.tokens(item, tokenizer) }
      guard !prompt.isEmpty else { throw error(i, "has no tokens") }
      try check(length: prompt.count + room, of: i)
      return prompt
    }
  }

  /// Looks at all images: one that cannot be used shall not be found after hours.
  /// - Parameter report: is told how many items have been looked at; not called where none has images.
  func checkImages(report: (_ done: Int) -> Void) throws {
    guard task.items.contains(where: { !$0.images.isEmpty }) else { return }
    for (i, item) in task.items.enumerated() {
      if !item.images.isEmpty { _ = try showing(i) { try task.prompt.tokens(item, tokenizer) } }
      report(i + 1)
    }
  }

  /// The scores of sequences, batch by batch. Sequences of one item follow each other.
  /// - Parameter items: which item each sequence is of.
  func scores(of sequences: [TokenSequence], items: [Int]) throws -> [[TokenScore]] {
    var scores: [[TokenScore]] = []
    for batch in Batches.split(sequences.map(\.count), limit: Self.tokensAtOnce) {
      scores += try model.scores(of: Array(sequences[batch]))
      report(batch.upperBound < items.count ? items[batch.upperBound] : task.items.count)
    }
    return scores
  }

  /// Continues the prompts greedily, batch by batch.
  /// - Parameter observe: is given the log-probabilities that each token of an item is chosen from.
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

  /// The model's greedy answers to the prompts, in words.
  func answers(limit: Int) throws -> [String] {
    try continueGreedily(try prompts(room: limit), stop: tokenizer.endTokens, limit: limit).map(tokenizer.decode)
  }
}

/// What came of a task.
package struct TaskOutcome {
  struct Metric {
    let name: String
    let unit: MeasurementUnit
    let higherIsBetter: Bool
    let scores: ItemScores
  }

  /// The first speaks for the task.
  let metrics: [Metric]
  /// What more is known of each item, to be read by people.
  var details: [JSON] = []
}
