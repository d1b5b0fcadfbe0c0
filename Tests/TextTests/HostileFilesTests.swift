import Base
import Foundation
import Fuzzing
import TestModels
import Testing

@testable import Text

/// Files of a model folder with random structured changes: nothing may crash or throw anything but a `VPatchError`.
@Suite("Hostile files") struct HostileFilesTests {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"

  @Test("tokenizers", .timeLimit(.minutes(2)), arguments: ["smollm2", "llama3", "qwen2", "llama2", "mistral"])
  func tokenizers(name: String) throws {
    let seed = try InputFile.contents(of: "\(Self.fixtures)/tokenizers/\(name)/tokenizer.json", limit: 1 << 24)
    let folder = try TestFolder()
    var accepted = 0
    for i in 0..<60 {
      var random = StructuredMutator(seed: UInt64(i))
      let path = try folder.write("tokenizer.json", i % 4 == 0 ? random.bytes(seed) : random.json(seed))
      do {
        let tokenizer = try Tokenizer(path: path)
        let ids = tokenizer.encode("Hi <|im_start|> 12 naïve ▁x\u{0301}\n 🙂 <s>")
        _ = tokenizer.decode(ids + [0, -1, 5, .max], skipSpecialTokens: i % 2 == 0)
        accepted += 1
      } catch is VPatchError {}
    }
    #expect(accepted > 0)
  }

  @Test("chat templates", .timeLimit(.minutes(1)))
  func templates() throws {
    var rendered = 0
    for name in ["mistral-v3", "llama3.1", "qwen2.5-vl", "llava-onevision"] {
      let folder = "\(Self.fixtures)/chat/\(name)"
      let files = ["chat_template.json", "chat_template.jinja", "tokenizer_config.json"].map { "\(folder)/\($0)" }
      let seed = try InputFile.contents(of: #require(try files.first { try PathKind.of($0) == .file }), limit: 1 << 20)
      for i in 0..<100 {
        var random = StructuredMutator(seed: UInt64(i))
        let text = String(decoding: i == 0 ? seed : random.bytes(seed), as: UTF8.self)
        for text in [text, String(text.prefix(i * 10))] {
          do {
            let template = try ChatTemplate(
              TemplateSource(name: "t", text: text), NamedTokens(beginningText: "<s>", endText: "</s>"),
              .named(["</s>"]))
            _ = try template.render(Conversation([Message(.user, "a")]), addGenerationPrompt: true)
            rendered += 1
          } catch is VPatchError {}
        }
      }
    }
    #expect((1..<800).contains(rendered))
  }

  @Test("rows of data", .timeLimit(.minutes(1))) func rows() throws {
    let text = try ModelText(
      folder: "\(Self.fixtures)/tokenizers/smollm2", chatTemplate: .init(source: "chatml"), images: FakeImages(token: 3)
    )
    let folder = try TestFolder()
    try folder.write("a.png", "3")
    let seed = Array(
      """
      {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
      {"prompt": "a", "completion": "b"}
      {"text": "abc", "input_ids": [1, 2, 3], "labels": [-100, 2, 3]}
      {"messages": [{"role": "user", "content": [{"type": "image", "image": "a.png"}]}], "images": ["a.png"]}
      {"conversations": [{"from": "human", "value": "<image>\\n"}, {"from": "gpt", "value": "b"}], "image": "a.png"}
      {"input_ids": [1, 3, 3], "images": ["a.png", {"path": "a.png"}]}
      """.utf8)
    var accepted = 0
    for i in 0..<600 {
      var random = StructuredMutator(seed: UInt64(i))
      let lines = seed.split(separator: UInt8(ascii: "\n")).map {
        i % 3 == 0 ? random.bytes(Array($0)) : random.json(Array($0))
      }
      let path = try folder.write(
        "rows.jsonl", Array(lines[(i % lines.count)...].joined(separator: [UInt8(ascii: "\n")])))
      do {
        _ = try DataFile(path: path, text, DataRules(vocabulary: 300), WorkOptions(threads: 1))
        accepted += 1
      } catch is VPatchError {}
    }
    #expect(accepted > 0)
  }
}
