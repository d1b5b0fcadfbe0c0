import Apply
import Base
import Checkpoints
import Foundation
import TestModels
import Testing
import Text

@testable import Model

/// SmolLM2-135M-Instruct beside transformers; opt in with `VPATCH_SMOLLM2=FOLDER`, as `bench/smollm2.py` makes it.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VPATCH_SMOLLM2"] != nil)) struct RealModelTests {
  let folder: String
  let reference: JSON

  struct Row {
    let text: String
    let ids: [Int32]
    let logProbabilities: [Float]
  }

  init() throws {
    folder = try #require(ProcessInfo.processInfo.environment["VPATCH_SMOLLM2"])
    let path = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures/smollm2-reference.json"
    reference = try JSON.parse(Array(Data(contentsOf: URL(filePath: path))))
  }

  private func rows() throws -> [Row] {
    let rows = try #require(reference["rows"]?.array)
    #expect(rows.count == 9)
    return try rows.map { row in
      let ids = try #require(row["ids"]?.array)
      let next = try #require(row["logprob_of_next"]?.array)
      return Row(
        text: try #require(row["text"]?.string), ids: try ids.map { Int32(try #require($0.int)) },
        logProbabilities: try next.map { Float(try #require($0.double)) })
    }
  }

  @Test("ids and chat text are the same") func texts() throws {
    let text = try ModelText(folder: folder)
    for row in try rows() { #expect(try text.tokenizer.encode(row.text) == row.ids, "\(row.text)") }
    let chat = try #require(reference["chat_template"])
    let messages = try #require(chat["messages"]?.array).map { message in
      Message(
        try #require(Message.Role(rawValue: message["role"]?.string ?? "")), try #require(message["content"]?.string))
    }
    #expect(try text.template.render(Conversation(messages), addGenerationPrompt: true).string == chat["text"]?.string)
  }

  @Test("log-probabilities are within 2e-3") func logProbabilities() throws {
    let model = try LanguageModel(ModelView(SafetensorsCheckpoint(path: folder)), compute: Compute(threads: 2))
    let rows = try rows()
    for (row, scores) in zip(rows, try model.scores(of: rows.map { TokenSequence($0.ids) })) {
      #expect(scores.count == row.logProbabilities.count)
      #expect(largestDifference(scores.map(\.logProbability), row.logProbabilities) <= 2e-3, "\(row.text)")
    }
  }
}
