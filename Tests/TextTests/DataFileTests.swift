import Base
import TestModels
import Testing
import Text

@Suite struct DataFileTests {
  static let ignored = Example.ignored

  @Test func readyIdsNeedNoTokenizer() throws {
    let data = try load(
      #"{"input_ids": [1, 2, 3]}"#, "", "  ", #"{"input_ids": [4, 5, 6], "labels": [-100, -100, 6], "note": "x"}"#,
      model: nil)
    #expect(data.examples.map(\.ids) == [[1, 2, 3], [4, 5, 6]])
    #expect(data.examples.map(\.labels) == [[1, 2, 3], [Self.ignored, Self.ignored, 6]])
    #expect(data.lines == [1, 4])
    #expect(data.tokens == 6 && data.answerTokens == 3)
    #expect(data.cutRows == 0 && data.mergedRows == 0)
  }

  @Test func theDigestIsTheFilesOwn() throws {
    let row = #"{"input_ids": [1, 2, 3]}"#
    #expect(try load(row, model: nil).digest == SHA256Hasher.hash(row))
  }

  @Test func aRowThatNeedsATokenizerSaysSo() throws {
    let error = try error(#"{"input_ids": [1, 2]}"#, #"{"text": "x"}"#, model: nil)
    #expect(error.reason.hasPrefix("has no tokenizer.json (needed by line 2 of "))
    #expect(error.code == .invalid && error.remedy != nil)
  }

  @Test func aTextIsLearnedWhole() throws {
    let tokenizer = try Tokenizer(folder: "\(TokenizerCase.fixtures)/llama3")
    let data = try load(#"{"text": "The fox.\n"}"#, model: "llama3")
    #expect(data.examples[0].ids == tokenizer.encode("The fox.\n"))
    #expect(data.examples[0].labels == data.examples[0].ids)
    #expect(tokenizer.token(data.examples[0].ids[0]) == "<|begin_of_text|>")
  }

  @Test func aCompletionIsLearnedWithItsEnd() throws {
    let tokenizer = try Tokenizer(folder: "\(TokenizerCase.fixtures)/llama3")
    let end = try #require(tokenizer.id(of: "<|eot_id|>"))
    let row = #"{"prompt": "The fox", "completion": " jumps"}"#
    let example = try load(row, model: "llama3").examples[0]
    let prompt = tokenizer.encode("The fox")
    #expect(example.ids == tokenizer.encode("The fox jumps") + [end])
    #expect(
      example.labels == prompt.map { _ in Self.ignored } + tokenizer.encode(" jumps", addSpecialTokens: false) + [end])
    // One that has its end already gets no second.
    let ended = try load(#"{"prompt": "The fox", "completion": " jumps<|eot_id|>"}"#, model: "llama3")
    #expect(ended.examples == [example])
    let all = try load(row, model: "llama3", learnsEverything: true).examples[0]
    #expect(all.labels == all.ids && all.ids == example.ids)
  }

  @Test func aPromptThatEndsInsideATokenIsCounted() throws {
    // " jumps" is cut between its letters: what the whole text makes of them is the answer's.
    let data = try load(#"{"prompt": "The ", "completion": "fox"}"#, model: "smollm2")
    let tokenizer = try Tokenizer(folder: "\(TokenizerCase.fixtures)/smollm2")
    let ids = tokenizer.encode("The fox")
    #expect(data.mergedRows == 1)
    #expect(data.examples[0].ids.dropLast() == ids[...])
    #expect(data.examples[0].labels.first == Self.ignored)
    #expect(data.examples[0].labels.dropLast().last == ids.last)
  }

  @Test func ofAConversationTheAnswersAreLearned() throws {
    let row = #"""
      {"messages": [{"role": "user", "content": "The fox"}, {"role": "assistant", "content": "jumps"},
      {"role": "user", "content": "\nWe"}, {"role": "assistant", "content": "\n see"}]}
      """#.split(separator: "\n").joined()
    let example = try load(row, model: "smollm2").examples[0]
    let tokenizer = try Tokenizer(folder: "\(TokenizerCase.fixtures)/smollm2")
    let text =
      "<|im_start|>user\nThe fox<|im_end|>\n<|im_start|>assistant\njumps<|im_end|>\n"
      + "<|im_start|>user\n\nWe<|im_end|>\n<|im_start|>assistant\n\n see<|im_end|>\n"
    #expect(example.ids == tokenizer.encode(text))
    let learned = zip(example.ids, example.labels).filter { $0 == $1 }.map(\.0)
    let decoded = tokenizer.decode(learned, skipSpecialTokens: false)
    #expect(decoded.hasPrefix("jumps<|im_end|>") && decoded.hasSuffix(" see<|im_end|>"))
    #expect(example.labels.last == Self.ignored)
  }

  @Test func threadsDoNotMatter() throws {
    let rows = (0..<200).map { #"{"prompt": "The fox \#($0)", "completion": " jumps \#($0 * 7)"}"# }
    let one = try load(rows, model: "smollm2", threads: 1)
    let three = try load(rows, model: "smollm2", threads: 3)
    #expect(one.examples == three.examples && one.lines == Array(1...200))
  }

  @Test func longRowsAreCutAndCounted() throws {
    let long = #"{"input_ids": [1, 2, 3, 4, 5], "labels": [-100, -100, 3, 4, 5]}"#
    let data = try load(long, #"{"input_ids": [1, 2]}"#, model: nil, maximumLength: 3)
    #expect(data.examples[0] == Example(ids: [1, 2, 3], labels: [Self.ignored, Self.ignored, 3]))
    #expect(data.cutRows == 1 && data.cutTokens == 2)
    let refused = try error(long, model: nil, maximumLength: 3, tooLong: .refuse)
    #expect(refused.reason == "1 row cannot be used: line 1 has 5 tokens; 3 are allowed")
    let lost = try error(long, model: nil, maximumLength: 2)
    #expect(lost.reason.hasSuffix("line 1 has 5 tokens; 2 are allowed, and its answer would be cut off"))
  }

  @Test func whatIsScoredMayBeEmpty() throws {
    let data = try load(#"{"text": ""}"#, #"{"input_ids": [3]}"#, model: "smollm2", needsAnswers: false)
    #expect(data.examples.map(\.ids) == [[], [3]])
    #expect(data.answerTokens == 0)
  }

  @Test(arguments: [
    ("[1]", "is not an object"),
    ("{", "is not JSON (a key expected at byte 1)"),
    (#"{"text": "a", "text": "b"}"#, #"is not JSON (the key "text" occurs twice at byte 20)"#),
    (
      #"{"question": "a"}"#,
      #"has none of "messages", "conversations", "prompt" with "completion", "instruction" with "output", "text", or "input_ids""#
    ),
    (#"{"prompt": "a"}"#, #"has a "prompt" but no "completion""#),
    (#"{"completion": "a"}"#, #"has a "completion" but no "prompt""#),
    (#"{"text": "a", "messages": []}"#, "has several forms at once: messages, text"),
    (#"{"text": 3}"#, #"has a "text" that is not a string"#),
    (#"{"text": ""}"#, "has nothing to train on: 0 tokens, none of them an answer to those before it"),
    (#"{"prompt": "a", "completion": " \n"}"#, "has an empty completion"),
    (#"{"messages": []}"#, #"has an empty list as its "messages""#),
    (#"{"messages": {}}"#, #"has a "messages" that is not a list"#),
    (
      #"{"messages": [{"role": "user"}]}"#,
      #"message 1 has no "content" that is a string or a list of parts, nor tool calls"#
    ),
    (
      #"{"messages": [{"role": 3, "content": "a"}]}"#, #"message 1 has a "role" that is not a string"#
    ),
    (#"{"messages": [{"role": "user", "content": "a"}]}"#, "has no message of the assistant"),
    (
      #"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\n"}]}"#,
      "has an empty answer (message 2)"
    ),
    (
      #"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a", "tool_calls": [1]}]}"#,
      #"has a message (2) with "tool_calls", which the model's chat template does not render"#
    ),
    (#"{"input_ids": 1}"#, #"has a "input_ids" that is not a list"#),
    (#"{"input_ids": [1, "2"]}"#, #"has a "input_ids" whose element 1 is not an integer"#),
    (#"{"input_ids": [1, 2.5]}"#, #"has a "input_ids" whose element 1 is not an integer"#),
    (#"{"input_ids": [1, 5000]}"#, "has the id 5000 (at 1); the model has 1,000 ids"),
    (#"{"input_ids": [-1, 2]}"#, "has the id -1 (at 0); the model has 1,000 ids"),
    (#"{"input_ids": [1, 2], "labels": [1]}"#, "has 2 ids and 1 label"),
    (#"{"input_ids": [1, 2], "labels": [-100, -99]}"#, "has the label -99 (at 1); the model has 1,000 ids"),
    (
      #"{"input_ids": [1, 2], "labels": [1, -100]}"#,
      "has nothing to train on: 2 tokens, none of them an answer to those before it"
    ),
    (#"{"input_ids": [1]}"#, "has nothing to train on: 1 token, none of them an answer to those before it"),
  ]) func aRowThatCannotBeUsedIsNamed(row: String, reason: String) throws {
    let error = try error(#"{"input_ids": [1, 2]}"#, row, model: "smollm2")
    #expect(error.code == .invalid)
    #expect(error.reason == "1 row cannot be used: line 2 \(reason)")
    #expect(error.remedy == "fix or remove it")
  }

  @Test func rolesOutOfOrderAreTheRowsFault() throws {
    let row = #"{"messages": [{"role": "assistant", "content": "a"}]}"#
    let error = try error(row, model: "llama2", template: "llama2")
    #expect(
      error.reason.hasPrefix(
        "1 row cannot be used: line 1 the chat template refuses this conversation: user and assistant have to take"))
  }

  @Test func aTokenizerThatDoesNotFitTheModelIsSaid() throws {
    let error = try error(#"{"text": "The <|im_end|>"}"#, model: "smollm2", vocabulary: 300)
    #expect(error.subject!.hasSuffix("tokenizer.json") && error.reason.hasPrefix("makes the id "))
    #expect(error.reason.contains("but the model has 300 ids (needed by line 1 of "))
    #expect(error.remedy == "use this model's tokenizer")
  }

  @Test func theFirstFiveRowsAreNamedAndAllAreCounted() throws {
    let error = try error((0..<1200).map { _ in "1" }, model: nil)
    #expect(error.reason.hasPrefix("1,200 rows cannot be used: line 1 is not an object; line 2"))
    #expect(error.reason.hasSuffix("line 5 is not an object; and 1,195 more"))
  }

  @Test func aFileWithoutRowsIsRefused() throws {
    #expect(try error("", " ", model: nil).reason == "has no rows")
  }

  @Test func aConversationToGoOnWith() throws {
    let tokenizer = try Tokenizer(folder: "\(TokenizerCase.fixtures)/smollm2")
    let folder = try TestFolder()
    try folder.write(
      "tokenizer.json",
      try InputFile.contents(of: "\(TokenizerCase.fixtures)/smollm2/tokenizer.json", limit: 1 << 20))
    try folder.write("generation_config.json", #"{"eos_token_id": 3}"#)
    let text = try ModelText(folder: folder.path, chatTemplate: .init(source: "smollm2"))
    let prompt = try text.prompt([Message(.user, "The fox")]).ids
    #expect(
      tokenizer.decode(prompt, skipSpecialTokens: false)
        == "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        + "<|im_start|>user\nThe fox<|im_end|>\n<|im_start|>assistant\n")
    #expect(try text.stops(answering: false) == [3])
    #expect(try text.stops(answering: true) == [3, try #require(tokenizer.id(of: "<|im_end|>"))])
    // The model has no template of its own.
    #expect(throws: VPatchError.self) { try ModelText(folder: folder.path).prompt([Message(.user, "The fox")]) }
    #expect(throws: VPatchError.self) { try ModelText(folder: folder.path, chatTemplate: .init(source: "none")) }
  }

  // MARK: Helpers

  /// - Parameter model: a folder of `fixtures/tokenizers`; nil for a model that has no text.
  private func load(
    _ rows: [String], model: String?, template: String? = nil, vocabulary: Int = 1000, maximumLength: Int = .max,
    tooLong: DataRules.TooLong = .cut, learnsEverything: Bool = false, needsAnswers: Bool = true, threads: Int = 2
  ) throws -> DataFile {
    let folder = try TestFolder()
    if let model {
      try folder.write(
        "model/tokenizer.json",
        try InputFile.contents(of: "\(TokenizerCase.fixtures)/\(model)/tokenizer.json", limit: 1 << 20))
      let ends = ["smollm2": "<|im_end|>", "llama3": "<|eot_id|>", "llama2": "</s>"]
      let config = JSON.dictionary([
        "eos_token": ends[model].map(JSON.string), "bos_token": .string(model == "llama2" ? "<s>" : ends[model]!),
      ])
      try folder.write("model/tokenizer_config.json", config.compact())
    }
    let path = try folder.write("data.jsonl", rows.joined(separator: "\n"))
    return try DataFile(
      path: path,
      ModelText(folder: folder["model"], chatTemplate: .init(source: template ?? (model == nil ? nil : "chatml"))),
      DataRules(
        vocabulary: vocabulary, maximumLength: maximumLength, tooLong: tooLong, learnsEverything: learnsEverything,
        needsAnswers: needsAnswers), WorkOptions(threads: threads))
  }

  private func load(
    _ rows: String..., model: String?, maximumLength: Int = .max, learnsEverything: Bool = false,
    needsAnswers: Bool = true
  ) throws -> DataFile {
    try load(
      rows, model: model, maximumLength: maximumLength, learnsEverything: learnsEverything, needsAnswers: needsAnswers)
  }

  private func error(
    _ rows: [String], model: String?, template: String? = nil, vocabulary: Int = 1000, maximumLength: Int = .max,
    tooLong: DataRules.TooLong = .cut
  ) throws -> VPatchError {
    try #require(
      #expect(throws: VPatchError.self) {
        try load(
          rows, model: model, template: template, vocabulary: vocabulary, maximumLength: maximumLength,
          tooLong: tooLong)
      })
  }

  private func error(
    _ rows: String..., model: String?, template: String? = nil, vocabulary: Int = 1000, maximumLength: Int = .max,
    tooLong: DataRules.TooLong = .cut
  ) throws -> VPatchError {
    try error(
      rows, model: model, template: template, vocabulary: vocabulary, maximumLength: maximumLength, tooLong: tooLong)
  }
}
