import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Text

@Suite struct ChatTemplateTests {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "fixtures/chat").path
  static let names =
    (try? Path.entries(of: fixtures))?.filter { try! PathKind.of("\(fixtures)/\($0)") == .directory } ?? []

  /// A conversation and what transformers makes of it; the form is that of `fixtures/chat/make.py`.
  struct Case {
    let messages: [Message]
    let text: String?
    let prompt: String?
    /// The last answer as it is to be learned, where that is not how the template writes it.
    let answer: String?

    init(_ json: JSON) throws {
      messages = try #require(json["messages"]?.array).map {
        let role = try #require(Message.Role(rawValue: $0["role"]?.string ?? ""))
        guard let parts = $0["content"]?.array else { return Message(role, $0["content"]?.string ?? "") }
        return Message(role, parts.map { $0["text"]?.string.map(Message.Part.text) ?? .image(path: "a.png") })
      }
      (text, prompt, answer) = (json["text"]?.string, json["prompt"]?.string, json["answer"]?.string)
    }
  }

  /// The name that means the same, the text that stands for an image, the model's tokens, and the cases.
  static func load(_ folder: String) throws -> (name: String?, mark: String, tokens: NamedTokens, cases: [Case]) {
    var rows: [JSON] = []
    try InputFile(path: "\(fixtures)/\(folder)/cases.jsonl").forEachLine(limit: 1 << 20) { _, line in
      rows.append(try JSON.parse(line))
    }
    let tokens = NamedTokens(beginningText: rows[0]["bos_token"]?.string, endText: rows[0]["eos_token"]?.string)
    return (rows[0]["name"]?.string, rows[0]["mark"]?.string ?? "<image>", tokens, try rows.dropFirst().map(Case.init))
  }

  @Test func fixturesAreThere() { #expect(Self.names.count == 20) }

  @Test(arguments: names) func textIsThatOfTransformers(folder: String) throws {
    let (name, mark, tokens, cases) = try Self.load(folder)
    let recognised = try ChatTemplate.of(folder: "\(Self.fixtures)/\(folder)", tokens)
    let named = try name.map { try ChatTemplate.named($0, tokens) }
    if let named { #expect(named.family == recognised.family) }
    for row in cases {
      for (prompts, expected) in [(false, row.text), (true, row.prompt)] {
        let note: Comment = "\(row.messages), prompting: \(prompts)"
        let turns = row.messages.filter { $0.role != .system }
        let found = try? recognised.render(row.messages, addGenerationPrompt: prompts, mark: mark).text
        if recognised.takesTurns, turns.isEmpty || prompts && turns.last?.role == .assistant {
          // The templates write half a conversation here.
          #expect(found == nil, note)
        } else if !prompts, let answer = row.answer, let text = row.text {
          // As it is asked for. What is before it is as the template has it.
          let prompt = try recognised.render(row.messages.dropLast(), addGenerationPrompt: true, mark: mark).text
          #expect(try #require(found) == prompt + answer, note)
          let asks = try recognised.render([Message(.user, "")], addGenerationPrompt: true).text
            .dropFirst(try recognised.render([Message(.user, "")], addGenerationPrompt: false).text.count)
          #expect(text.hasPrefix(prompt.dropLast(asks.count)), note)
        } else if folder.hasPrefix("mistral"), recognised.hasSystemAtEnd, expected != nil, !prompts,
          row.messages[0].role == .system, turns.last?.role == .assistant, folder != "mistral-v3"
        {
          // "loop.last" loses the system message where an answer stands last; it stays where a prompt has it.
          let prompt = try recognised.render(row.messages.dropLast(), addGenerationPrompt: true).text
          #expect(try #require(found).hasPrefix(prompt), note)
        } else {
          #expect(found.map { Array($0.utf8) } == expected.map { Array($0.utf8) }, note)
        }
      }
    }
  }

  @Test(arguments: names) func anAnswerBeginsWhereAGenerationWould(folder: String) throws {
    let (_, mark, tokens, cases) = try Self.load(folder)
    let template = try ChatTemplate.of(folder: "\(Self.fixtures)/\(folder)", tokens)
    var checked = 0
    for row in cases where row.messages.count > 1 && row.messages.last?.role == .assistant {
      guard let segments = try? template.render(row.messages, addGenerationPrompt: false, mark: mark) else { continue }
      let index = segments.lastIndex { $0.isAnswer }
      let last = try #require(index)
      let prompt = try template.render(row.messages.dropLast(), addGenerationPrompt: true, mark: mark)
      #expect(segments.count(where: \.isImage) == row.messages.flatMap(\.images).count)
      #expect(Array(segments[..<last]).text == prompt.text, "\(row.messages)")
      #expect(segments[last].text.trimmed.hasPrefix(row.messages.last!.content.trimmed))
      let empty = row.messages.dropLast().count { $0.role == .assistant && $0.content.isEmpty }
      let answers = segments.count(where: \.isAnswer)
      let expected = row.messages.count { $0.role == .assistant }
      // Of LLaVA's, an answer of the past is its text alone.
      #expect(answers == expected || row.answer != nil && answers == expected - empty)
      checked += 1
    }
    #expect(checked > 3)
  }

  @Test func anUnknownTemplateSaysWhatToDo() throws {
    for template in [
      "{{ messages }}",
      // Qwen3 reasons; Zephyr is another family.
      "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{{ '<|im_start|>assistant\\n<think>' }}",
      "{{ '<|user|>\\n' + message['content'] + eos_token }}",
      // ChatML that trims; Mistral's with a space more.
      "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>\\n' }}",
      "{{ bos_token }}{{ '[INST]  ' + message['content'] + ' [/INST]' }}{{ message['content'] + eos_token }}",
      // Qwen's for images, but without a line feed; LLaVA's with one more, and with videos first.
      "<|im_start|>{{ message.role }} <|vision_start|><|image_pad|><|vision_end|>{{ content.text }}",
      "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image> ' }}{% endfor %}",
    ] {
      let folder = try TestFolder()
      try folder.write(
        "tokenizer_config.json", JSON.dictionary(["chat_template": .string(template)]).compact())
      let error = #expect(throws: VPatchError.self) { try ChatTemplate.of(folder: folder.path, Self.tokens) }
      #expect(error?.reason == "its chat template is none that is known")
      #expect(error?.remedy?.contains("--chat-template chatml|smollm2") == true)
    }
  }

  /// A template for text alone says nothing of images: they stand as LLaVA's models were taught, or Qwen's.
  @Test func whereTheTemplateKnowsNoImages() throws {
    let messages = [
      Message(.system, "Be brief."),
      Message(.user, [.image(path: "a.png"), .text("How many? "), .image(path: "b.png")]),
    ]
    for (name, text) in [
      ("chatml", "<|im_start|>user\n<image>\nHow many? <image>\n<|im_end|>\n"),
      ("llama3", "<|start_header_id|>user<|end_header_id|>\n\n<image>\nHow many? <image><|eot_id|>"),
      ("llama2", "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n<image>\nHow many? <image> [/INST]"),
      ("mistral-nemo", "[INST]Be brief.\n\n<image>\nHow many? <image>\n[/INST]"),
      ("vicuna", "USER: <image>\nHow many? <image>\n ASSISTANT:"),
    ] {
      let segments = try ChatTemplate.named(name, Self.tokens).render(messages, addGenerationPrompt: true)
      #expect(segments.text.contains(text), "\(name): \(segments.text)")
      #expect(segments.filter(\.isImage) == [Segment(mark: "<image>"), Segment(mark: "<image>")])
    }
    let qwen = try ChatTemplate.named("qwen2", Self.tokens).render(
      messages, addGenerationPrompt: true, mark: "<|image_pad|>")
    let image = "<|vision_start|><|image_pad|><|vision_end|>"
    #expect(qwen.text.contains("<|im_start|>user\n\(image)How many? \(image)<|im_end|>\n"))
  }

  @Test func imagesAreTheUsers() throws {
    let messages = [Message(.user, "a"), Message(.assistant, [.image(path: "a.png")])]
    let error = #expect(throws: VPatchError.self) {
      try ChatTemplate.named("chatml", Self.tokens).render(messages, addGenerationPrompt: false)
    }
    #expect(error?.reason == "message 2 is the assistant's and holds an image")
  }

  @Test func aModelWithoutTemplateSaysWhatToDo() throws {
    let folder = try TestFolder()
    let error = #expect(throws: VPatchError.self) { try ChatTemplate.of(folder: folder.path, Self.tokens) }
    #expect(error?.reason == "has no chat template" && error?.remedy?.contains("--chat-template") == true)
    let unknown = #expect(throws: VPatchError.self) { try ChatTemplate.named("alpaca", Self.tokens) }
    #expect(unknown?.reason == "there is no chat template \"alpaca\"")
    let missing = #expect(throws: VPatchError.self) {
      try ChatTemplate.named("llama2", NamedTokens(beginningText: nil, endText: "</s>"))
    }
    #expect(missing?.reason == "the chat template \"llama2\" needs a bos_token, and the model names none")
  }

  @Test func rolesOutOfOrderAreSaid() throws {
    let template = try ChatTemplate.named("llama2", Self.tokens)
    for (messages, reason) in [
      ([], "the conversation has no messages"),
      ([Message(.system, "s")], "the conversation has a system message alone"),
      ([Message(.assistant, "a")], "message 1 is the assistant's where the user's has to be"),
      (
        [Message(.system, "s"), Message(.user, "a"), Message(.user, "b")],
        "message 3 is the user's where the assistant's has to be"
      ),
    ] {
      let error = #expect(throws: VPatchError.self) { try template.render(messages, addGenerationPrompt: false) }
      #expect(error?.reason == reason)
    }
  }

  private static let tokens = NamedTokens(beginningText: "<s>", endText: "</s>")
}

extension ChatTemplate {
  fileprivate var takesTurns: Bool {
    switch family {
    case .chatML, .llama3: false
    case .llama2, .mistral, .vicuna, .llava: true
    }
  }

  fileprivate var hasSystemAtEnd: Bool {
    if case .mistral(let style) = family { style.system == .last } else { false }
  }
}
