import Base
import Checkpoints
import Foundation
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
        let role = Message.Role(rawValue: try #require($0["role"]?.string))
        guard let parts = $0["content"]?.array else { return Message(role, $0["content"]?.string ?? "") }
        return Message(
          role, parts.map { $0["text"]?.string.map(Message.Part.text) ?? .image(path: "a.png") },
          members: $0.object ?? [])
      }
      (text, prompt, answer) = (json["text"]?.string, json["prompt"]?.string, json["answer"]?.string)
    }

    var conversation: Conversation { Conversation(messages) }
  }

  /// A folder of the fixtures.
  struct Scene {
    /// The name of the template that is built in and means the same.
    let name: String?
    let cases: [Case]
    private let folder: String
    private let tokens: NamedTokens
    private let added: AddedTokens
    private let mark: String

    init(_ folder: String) throws {
      self.folder = "\(fixtures)/\(folder)"
      var rows: [JSON] = []
      try InputFile(path: "\(self.folder)/cases.jsonl").forEachLine(limit: 1 << 20) { _, line in
        rows.append(try JSON.parse(line))
      }
      (name, mark) = (rows[0]["name"]?.string, rows[0]["mark"]?.string ?? "<image>")
      tokens = NamedTokens(beginningText: rows[0]["bos_token"]?.string, endText: rows[0]["eos_token"]?.string)
      added = try .named(
        Array(tokens.texts.values) + ["</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>"])
      cases = try rows.dropFirst().map(Case.init)
    }

    var own: ChatTemplate {
      get throws { try ChatTemplate(.of(ModelFolder(folder), takesImages: true), tokens, added, mark: mark) }
    }

    func builtIn(_ name: String) throws -> ChatTemplate {
      try ChatTemplate(ChatTemplate.source(named: name), tokens, added, mark: mark)
    }
  }

  @Test func fixturesAreThere() { #expect(Self.names.count == 20) }

  @Test(arguments: names) func textIsThatOfTransformers(folder: String) throws {
    let scene = try Scene(folder)
    let template = try scene.own
    for row in scene.cases {
      for (prompts, expected) in [(false, row.text), (true, row.prompt)] {
        let found = try? template.render(row.conversation, addGenerationPrompt: prompts).text
        #expect(found == expected.map { Array($0.utf8) }, "\(row.messages), prompting: \(prompts)")
      }
    }
  }

  /// Where both write a conversation, they write the same. What is built in asks for turns, keeps a system message that
  /// "loop.last" loses, and ends an answer of LLaVA's as a generation ends.
  @Test(arguments: names) func whatIsBuiltInIsThatOfTheModel(folder: String) throws {
    let scene = try Scene(folder)
    guard let name = scene.name else { return }
    let template = try scene.builtIn(name)
    var compared = 0
    for row in scene.cases where row.messages.last?.role == .user && row.messages.allSatisfy({ $0.role != .assistant })
    {
      guard let expected = row.prompt, let found = try? template.render(row.conversation, addGenerationPrompt: true)
      else { continue }
      #expect(found.string == expected, "\(row.messages)")
      compared += 1
    }
    #expect(compared > 2)
  }

  /// An answer is what comes behind what is shown to be answered, and ends with what ends a generation.
  @Test(arguments: names) func anAnswerBeginsWhereAGenerationWould(folder: String) throws {
    let scene = try Scene(folder)
    let template = try scene.name.map(scene.builtIn) ?? scene.own
    var checked = 0
    for row in scene.cases where row.messages.count > 1 && row.messages.last?.role == .assistant {
      guard let lessons = try? template.lessons(row.conversation), row.messages[0].role != .assistant else { continue }
      let answers = row.messages.count { $0.role == .assistant }
      #expect(lessons.reduce(0) { $0 + $1.answers.count } == answers, "\(row.messages)")
      let last = try #require(lessons.last)
      let range = try #require(last.answers.last)
      let prompt = try template.render(Conversation(row.messages.dropLast()), addGenerationPrompt: true)
      #expect(Array(last.text[..<range.lowerBound]) == prompt.text)
      let answer = String(decoding: last.text[range], as: UTF8.self)
      #expect(answer.trimmed.hasPrefix(row.messages.last!.content.trimmed))
      // That of the first LLaVA-NeXT ends an answer with a misspelt token, which is none.
      let hasEnd = folder != "llava-mistral-first"
      #expect((template.endOfAnswer != nil) == hasEnd)
      if let end = template.endOfAnswer, !template.marksAnswers { #expect(answer.hasSuffix(end)) }
      if let expected = row.answer, hasEnd { #expect(answer == expected) }
      checked += 1
    }
    #expect(checked > 3)
  }

  /// What follows an answer directly, where more is said and at the end; each with the end that a model is to learn.
  @Test(
    arguments: [
      ("{{ m.content }}<|im_end|>\n", "<|im_end|>"), ("{{ m.content }}</s><|im_end|>", "<|im_end|>"),
      ("{{ m.content }} </s>", "</s>"), ("{{ m.content }}</s>{% if not loop.last %}<|im_start|>{% endif %}", "</s>"),
      ("{{ m.content }}<|im_end|>{% if loop.last %}</s>{% endif %}", "<|im_end|>"),
      ("{{ m.content }}{% if loop.last %}</s>{% endif %}", "</s>"), ("{{ m.content }} [END]</s>", "</s>"),
      ("{{ m.content | upper }}<|im_end|>\n", "<|im_end|>"),
      (
        "{% if messages[0].role != 'system' %}{{ raise_exception('x') }}{% endif %}{{ m.content }}<|im_end|>\n",
        "<|im_end|>"
      ),
    ]) func theTokenThatEndsAnAnswer(written: String, end: String) throws
  {
    let template = try Self.template(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}" + written
        + "{% else %}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
    #expect(template.endOfAnswer == end)
    let turns = [Message(.system, "s"), Message(.user, "a"), Message(.assistant, "b")]
    let lesson = try template.lessons(Conversation(turns))[0]
    #expect(String(decoding: lesson.text[lesson.answers[0]], as: UTF8.self).hasSuffix(end))
  }

  @Test func whatIsAskedForOtherwiseIsRefused() throws {
    let template = try Self.template(
      """
      {%- for m in messages %}{{ '<|im_start|>' + m.role + ' ' + m.content + '<|im_end|>' }}{% endfor %}
      {%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
      """)
    let error = #expect(throws: VPatchError.self) { try template.lessons(Conversation(Self.turns)) }
    #expect(
      error?.reason == """
        the chat template renders the generation prompt for message 2 as "\\u{a}", but " one<|im_end|>" once the \
        answer is there, so the answer's tokens cannot be located
        """)
  }

  private static func template(_ text: String) throws -> ChatTemplate {
    try ChatTemplate(
      TemplateSource(name: "t", text: text), NamedTokens(beginningText: "<s>", endText: "</s>"),
      .named(["<s>", "</s>", "<|im_start|>", "<|im_end|>"]))
  }

  private static let turns = [
    Message(.user, "1"), Message(.assistant, "one"), Message(.user, "2"), Message(.assistant, "two"),
  ]

  /// Qwen3 and DeepSeek-R1 drop what was thought before an answer of the past.
  @Test func historyThatIsWrittenOtherwiseGivesALessonForEachAnswer() throws {
    let template = try Self.template(
      """
      {%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}
      {%- if m.role == 'assistant' and loop.last %}{{ '<think>hm</think>' }}{% endif %}
      {{- m.content + '<|im_end|>\\n' }}{% endfor %}
      {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
      """)
    let lessons = try template.lessons(Conversation(Self.turns))
    #expect(
      lessons.map { lesson in lesson.answers.map { String(decoding: lesson.text[$0], as: UTF8.self) } }
        == [["<think>hm</think>one<|im_end|>"], ["<think>hm</think>two<|im_end|>"]])
    #expect(!String(decoding: lessons[1].text, as: UTF8.self).contains("<think>hm</think>one"))
  }

  @Test func whatTheTemplateMarksIsLearned() throws {
    let template = try Self.template(
      """
      {%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}
      {%- if m.role == 'assistant' %}{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}
      {%- else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}
      """)
    let lessons = try template.lessons(Conversation(Self.turns))
    #expect(lessons.count == 1)
    #expect(
      lessons[0].answers.map { String(decoding: lessons[0].text[$0], as: UTF8.self) }
        == ["one<|im_end|>", "two<|im_end|>"])
    var turns = Self.turns
    turns[1] = turns[1].asPrompt
    #expect(try template.lessons(Conversation(turns))[0].answers.count == 1)
  }

  /// A text that ends with more than the answer, and a message that is not to be learned.
  @Test func nothingBehindTheEndOfAnAnswerIsLearned() throws {
    let template = try Self.template(
      """
      {%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}
      {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% else %}{{ eos_token }}{% endif %}
      """)
    var turns = Self.turns
    turns[1] = turns[1].asPrompt
    let lesson = try template.lessons(Conversation(turns))[0]
    #expect(lesson.answers.map { String(decoding: lesson.text[$0], as: UTF8.self) } == ["two<|im_end|>"])
    #expect(String(decoding: lesson.text, as: UTF8.self).hasSuffix("two<|im_end|>\n</s>"))
  }

  @Test func aTemplateThatIsNoneSaysWhatToDo() throws {
    let folder = try TestFolder()
    try folder.write("chat_template.jinja", "{% for m in messages %}{{ m.content }}")
    let error = #expect(throws: VPatchError.self) {
      try ChatTemplate(
        .of(ModelFolder(folder.path), takesImages: true), NamedTokens(beginningText: nil, endText: nil), .named([]))
    }
    #expect(error?.reason.hasPrefix("the chat template is not valid, line 1") == true, "\(String(describing: error))")
    #expect(error?.remedy?.contains("--chat-template chatml|smollm2") == true)
  }

  /// A template for text alone says nothing of images: they stand as LLaVA's models were taught, or Qwen's.
  @Test func whereTheTemplateKnowsNoImages() throws {
    let messages = [
      Message(.system, "Be brief."),
      Message(.user, [.image(path: "a.png"), .text("How many? "), .image(path: "b.png")]),
    ]
    func shown(_ name: String, mark: String = "<image>") throws -> [Segment] {
      let template = try ChatTemplate(
        ChatTemplate.source(named: name), NamedTokens(beginningText: "<s>", endText: "</s>"), .named(["</s>"]),
        mark: mark)
      return try [Segment](
        template.render(Conversation(messages), addGenerationPrompt: true).text, answers: [], mark: mark)
    }
    for (name, text) in [
      ("chatml", "<|im_start|>user\n<image>\nHow many? <image>\n<|im_end|>\n"),
      ("llama3", "<|start_header_id|>user<|end_header_id|>\n\n<image>\nHow many? <image><|eot_id|>"),
      ("llama2", "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n<image>\nHow many? <image> [/INST]"),
      ("mistral-nemo", "[INST]Be brief.\n\n<image>\nHow many? <image>\n[/INST]"),
      ("vicuna", "USER: <image>\nHow many? <image>\n ASSISTANT:"),
    ] {
      let segments = try shown(name)
      #expect(segments.text.contains(text), "\(name): \(segments.text)")
      #expect(segments.filter(\.isImage) == [Segment(mark: "<image>"), Segment(mark: "<image>")])
    }
    let image = "<|vision_start|><|image_pad|><|vision_end|>"
    #expect(
      try shown("qwen2", mark: "<|image_pad|>").text.contains(
        "<|im_start|>user\n\(image)How many? \(image)<|im_end|>\n"))
  }

  @Test func aModelWithoutTemplateSaysWhatToDo() throws {
    let folder = try TestFolder()
    let error = #expect(throws: VPatchError.self) { try TemplateSource.of(ModelFolder(folder.path), takesImages: true) }
    #expect(error?.reason == "has no chat template" && error?.remedy?.contains("--chat-template") == true)
    let unknown = #expect(throws: VPatchError.self) { try ChatTemplate.source(named: "alpaca") }
    #expect(unknown?.reason == "there is no chat template \"alpaca\", and no file of that name")
    let template = try ChatTemplate(
      ChatTemplate.source(named: "llama2"), NamedTokens(beginningText: nil, endText: "</s>"), .named(["</s>"]))
    let missing = #expect(throws: VPatchError.self) {
      try template.render(Conversation([Message(.user, "a")]), addGenerationPrompt: true)
    }
    #expect(missing?.reason.contains("bos_token") == true, "\(String(describing: missing))")
  }

  @Test func rolesOutOfOrderAreSaid() throws {
    let template = try ChatTemplate(
      ChatTemplate.source(named: "llama2"), NamedTokens(beginningText: "<s>", endText: "</s>"), .named(["</s>"]))
    for (messages, reason) in [
      ([], "the conversation has no messages"),
      ([Message(.system, "s")], "the conversation has a system message alone"),
      ([Message(.assistant, "a")], "user and assistant have to take turns"),
      ([Message(.system, "s"), Message(.user, "a"), Message(.user, "b")], "user and assistant have to take turns"),
    ] {
      let error = #expect(throws: VPatchError.self) {
        try template.render(Conversation(messages), addGenerationPrompt: false)
      }
      #expect(error?.reason.contains(reason) == true, "\(String(describing: error))")
    }
  }

  /// Several templates: the one for tools is for rows that have some.
  @Test func severalTemplates() throws {
    let folder = try TestFolder()
    try folder.write(
      "tokenizer_config.json",
      #"{"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "{{ tools }}"}]}"#
    )
    let template = try ChatTemplate(
      .of(ModelFolder(folder.path), takesImages: true), NamedTokens(beginningText: nil, endText: nil), .named([]))
    let messages = [Message(.user, "a")]
    #expect(try template.render(Conversation(messages), addGenerationPrompt: false).string == "plain")
    #expect(
      try template.render(Conversation(messages, tools: .array([.object([])])), addGenerationPrompt: false).string
        == "[{}]")
  }
}

extension AddedTokens {
  /// Special tokens of these texts.
  static func named(_ texts: [String]) throws -> AddedTokens {
    var vocabulary = Vocabulary(capacity: 1)
    _ = vocabulary.add("a", id: 0)
    return try AddedTokens(
      [texts.map { AddedToken($0, isSpecial: true) }], path: "", vocabulary, nil, splitsSpecial: false)
  }
}
