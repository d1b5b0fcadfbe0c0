import ArgumentParser
import Base
import Model
import Report
import Text

struct ScoreCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Print the log-probabilities that a language model gives to texts, token by token.",
    discussion: """
      With --json it prints one line per row: ids; logprobs, the natural logarithm of the probability of each token \
      but the first, given those before it; and loss, the mean of −logprob over the answer's tokens.

      EXAMPLES
        vpatch score model/ --text "The capital of France is Paris."
        vpatch score model/ --data test.jsonl --json
        vpatch score base/ --patch counting --data test.jsonl --json
      """)

  @Argument(help: "The model: a folder with config.json.", completion: .file())
  var model: String
  @Option(help: ArgumentHelp("Rows as JSON Lines, in any form that vpatch train takes.", valueName: "file"))
  var data: String?
  @Option(help: ArgumentHelp("Text to score.", valueName: "text"))
  var text: String?
  @Option(help: ArgumentHelp("Token ids to score, separated by commas.", valueName: "ids"))
  var ids: String?
  @OptionGroup var images: ImageOptions
  @OptionGroup var options: ModelOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  var allowsAnyScale: Bool { options.overlay.scales.anyScale }

  func validate() throws {
    guard [data, text, ids].compactMap(\.self).count == 1 else {
      throw ValidationError("Give one of --data, --text and --ids.")
    }
  }

  func run() throws {
    let view = try options.view(self.model, reading: .transformers, in: workspace)
    let (model, text) = try (options.model(view, common), options.text(view))
    let examples = try examples(model, text)
    // In batches, so that the first rows are printed early and none are kept in memory.
    for start in stride(from: 0, to: examples.count, by: 64) {
      try Terminal.requireOutput()
      let part = Array(examples[start..<min(start + 64, examples.count)])
      let scores = try model.scores(of: part)
      try model.requireUnchanged()
      for (i, score) in scores.enumerated() {
        if common.json {
          Terminal.out(line: score.json)
        } else {
          try printTable(score, row: start + i, of: examples.count, text)
        }
      }
    }
  }

  private func examples(_ model: LanguageModel, _ text: ModelText) throws -> [Example] {
    if let data {
      let rules = DataRules(vocabulary: model.vocabularySize, needsAnswers: false, allowsOutside: images.allowOutside)
      return try DataFile(path: data, text, rules, common.work).examples
    }
    let sequence: [Int32]
    if let ids {
      sequence = try ids.split(separator: ",").map { part in
        let words = part.split(separator: " ")
        guard words.count == 1, let id = Int32(words[0]) else {
          throw VPatchError(.refused, nil, "--ids: '\(part)' is not a token id", remedy: "give numbers with commas")
        }
        return id
      }
    } else {
      let tokenizer = try text.tokenizer
      if let reason = tokenizer.refusal(of: self.text!) { throw VPatchError(.refused, nil, "--text \(reason)") }
      sequence = tokenizer.encode(self.text!)
    }
    return [Example(ids: sequence, labels: sequence)]
  }

  private func printTable(_ score: RowScore, row: Int, of count: Int, _ text: ModelText) throws {
    if count > 1 { Terminal.out("row \(row + 1)") }
    var table = TextTable([.init("token", .right), .init("text"), .init("log-probability", .right)])
    let tokenizer = try? text.tokenizer
    for (i, id) in score.ids.enumerated() {
      let piece = tokenizer.map { Self.visible($0.decode([id], skipSpecialTokens: false)) } ?? ""
      table.add(["\(id)", piece, i == 0 ? "" : Format.fixed(Double(score.logProbabilities[i - 1]), 4)])
    }
    if let loss = score.loss { table.setTotals(["", "loss, nats per token", Format.fixed(loss, 4)]) }
    Terminal.out(table.lines(width: common.width), isWide: common.wide)
  }

  /// With visible whitespace.
  private static func visible(_ text: String) -> String {
    "\"" + text.replacing("\n", with: "\\n").replacing("\t", with: "\\t") + "\""
  }
}

extension RowScore {
  fileprivate var json: JSON {
    .dictionary([
      "ids": .array(ids.map { JSON(Int($0)) }), "logprobs": .array(logProbabilities.map { JSON(Double($0)) }),
      "loss": loss.map { JSON($0) } ?? .null,
    ])
  }
}
