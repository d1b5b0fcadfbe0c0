import Base
import Foundation
import TestModels
import Testing
import Text

/// A folder with a model that takes images, and images beside the data: "two.png" takes two tokens, "three.png" three.
struct ImageScene {
  let folder: TestFolder
  let images: FakeImages
  let text: ModelText
  let tokenizer: Tokenizer

  /// - Parameters:
  ///   - model: a folder of `fixtures/tokenizers`.
  ///   - mark: what the tokenizer gets as a token; nil for the original LLaVA, whose tokenizer has none.
  init(_ model: String = "smollm2", template: String = "chatml", mark: String? = "<image>") throws {
    folder = try TestFolder()
    var json = try JSON.parse(
      try InputFile.contents(of: "\(TokenizerCase.fixtures)/\(model)/tokenizer.json", limit: 1 << 20))
    var added = try #require(json["added_tokens"]?.array)
    for token in (mark == "<|image_pad|>" ? ["<|vision_start|>", "<|vision_end|>"] : []) + (mark.map { [$0] } ?? []) {
      let id = try #require(added.last?["id"]?.int) + 1
      added.append(try #require(added.last).setting("id", to: JSON(id)).setting("content", to: .string(token)))
    }
    let token = mark == nil ? -200 : Int32(try #require(added.last?["id"]?.int))
    json = json.setting("added_tokens", to: .array(added))
    try folder.write("model/tokenizer.json", json.compact())
    let ends = ["smollm2": "<|im_end|>", "qwen2": "<|im_end|>", "llama2": "</s>"]
    let config = JSON.dictionary([
      "eos_token": ends[model].map(JSON.string), "bos_token": model == "llama2" ? .string("<s>") : nil,
    ])
    try folder.write("model/tokenizer_config.json", config.compact())
    for (name, text) in [("two", "2"), ("three", "3"), ("broken", "GIF89a"), ("large", "1000")] {
      try folder.write("data/\(name).png", text)
    }
    images = FakeImages(mark: mark ?? "<image>", token: token)
    text = try ModelText(folder: folder["model"], chatTemplate: .init(source: template), images: images)
    tokenizer = try text.tokenizer
  }

  var token: Int32 { images.token }

  func load(
    _ rows: [String], text other: ModelText? = nil, threads: Int = 2,
    _ rules: DataRules = DataRules(vocabulary: 1000), progress: WorkProgress = WorkProgress()
  ) throws -> DataFile {
    let path = try folder.write("data/data.jsonl", rows.joined(separator: "\n"))
    return try DataFile(path: path, other ?? text, rules, WorkOptions(threads: threads, progress: progress))
  }

  func example(_ row: String, _ rules: DataRules = DataRules(vocabulary: 1000)) throws -> Example {
    try load([row], rules).examples[0]
  }

  /// Why a row cannot be used.
  func reason(_ row: String, text: ModelText? = nil, _ rules: DataRules = DataRules(vocabulary: 1000)) throws -> String
  {
    let error = try #require(#expect(throws: VPatchError.self) { try load([row], text: text, rules) })
    let start = "1 row cannot be used: line 1 "
    #expect(error.reason.hasPrefix(start), "\(error.reason)")
    return String(error.reason.dropFirst(start.count))
  }

  /// Ids with image tokens written as "#".
  func shown(_ ids: [Int32]) -> String {
    ids.split(separator: token, omittingEmptySubsequences: false)
      .map { tokenizer.decode($0, skipSpecialTokens: false) }.joined(separator: "#")
  }
}
