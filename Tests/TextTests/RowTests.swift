import Base
import Foundation
import TestModels
import Testing

@testable import Text

/// What rows say besides texts: honoured, refused or said, never passed over.
@Suite struct RowTests {
  private static let template = """
    {%- for t in tools or [] %}{{ '<tool>' + t.name + '\\n' }}{% endfor %}
    {%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}
    {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
    """

  private struct Scene {
    let folder: TestFolder
    let tokenizer: Tokenizer

    init(template: String = RowTests.template) throws {
      folder = try TestFolder()
      try folder.write(
        "model/tokenizer.json",
        try InputFile.contents(of: "\(TokenizerCase.fixtures)/smollm2/tokenizer.json", limit: 1 << 20))
      try folder.write(
        "model/tokenizer_config.json", #"{"eos_token": "<|im_end|>", "bos_token": "<|im_start|>"}"#)
      try folder.write("model/chat_template.jinja", template)
      tokenizer = try Tokenizer(folder: folder["model"])
    }

    func load(_ text: String, as name: String = "rows.jsonl", learnsPrompts: Bool = false) throws -> DataFile {
      try load(Array(text.utf8), as: name, learnsPrompts: learnsPrompts)
    }

    func load(
      _ bytes: [UInt8], as name: String = "rows.jsonl", learnsPrompts: Bool = false
    ) throws -> DataFile {
      let path = try folder.write(name, bytes)
      var rules = DataRules(vocabulary: 1000, learnsEverything: learnsPrompts)
      rules.shownRows = 10
      return try DataFile(path: path, ModelText(folder: folder["model"]), rules, WorkOptions(threads: 1))
    }

    /// What of a row is learned, as text.
    func learned(_ row: String, learnsPrompts: Bool = false) throws -> [String] {
      try load(row, learnsPrompts: learnsPrompts).examples.map { example in
        tokenizer.decode(zip(example.ids, example.labels).filter { $0 == $1 }.map(\.0), skipSpecialTokens: false)
      }
    }

    /// Why a row is refused.
    func reason(_ row: String, learnsPrompts: Bool = false) -> String {
      do {
        _ = try load(row, learnsPrompts: learnsPrompts)
        return "it is taken"
      } catch { return (error as? VPatchError)?.reason ?? "\(error)" }
    }
  }

  private static func turns(_ more: String, _ others: String = "") -> String {
    #"{"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "wrong"\#(more)}, "#
      + #"{"role": "user", "content": "2"}, {"role": "assistant", "content": "right"}]\#(others)}"#
  }

  @Test(arguments: ["weight", "train", "training", "loss"]) func whatIsNotToBeLearned(key: String) throws {
    let scene = try Scene()
    for (value, learned) in [
      ("0", "right<|im_end|>"), ("false", "right<|im_end|>"), ("0.0", "right<|im_end|>"),
      ("1", "wrong<|im_end|>right<|im_end|>"), ("true", "wrong<|im_end|>right<|im_end|>"),
      ("null", "wrong<|im_end|>right<|im_end|>"),
    ] {
      #expect(try scene.learned(Self.turns(", \"\(key)\": \(value)")) == [learned], "\(key) \(value)")
    }
    for value in ["0.5", "2", "\"no\"", "[0]", "-1"] {
      #expect(scene.reason(Self.turns(", \"\(key)\": \(value)")).contains("neither 0 nor 1"), "\(value)")
    }
    // Of a whole row.
    let data = try scene.load(Self.turns("", ", \"\(key)\": 0") + "\n" + Self.turns(""))
    #expect(data.rows == 2 && data.leftOutRows == 1 && data.examples.count == 1)
    // Misspelt, it is said.
    #expect(try scene.load(Self.turns(", \"\(key)s\": 0")).unread.map(\.name) == ["\(key)s (of a message)"])
  }

  @Test func whatIsNotToBeLearnedIsNotLearnedWithPromptsEither() throws {
    func text(_ messages: (String, String)...) -> String {
      messages.map { "<|im_start|>\($0)\n\($1)<|im_end|>\n" }.joined()
    }
    let (one, two) = (text(("user", "1")), text(("user", "2"), ("assistant", "right")))
    let scene = try Scene()
    #expect(try scene.learned(Self.turns(""), learnsPrompts: true) == [one + text(("assistant", "wrong")) + two])
    #expect(
      try scene.learned(Self.turns(#", "weight": 0"#), learnsPrompts: true)
        == [one + "<|im_start|>assistant\n" + "\n" + two])
    // A message of the user, and one of a prompt.
    let row = #"{"messages": [{"role": "user", "content": "1", "weight": 0}, {"role": "assistant", "content": "2"}]}"#
    #expect(try scene.learned(row, learnsPrompts: true) == [text(("assistant", "2"))])
    let prompt = #"{"prompt": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "wrong"#
    let rest = #"}, {"role": "user", "content": "2"}], "completion": [{"role": "assistant", "content": "right"}]}"#
    #expect(
      try scene.learned(prompt + "\"" + rest, learnsPrompts: true) == [one + text(("assistant", "wrong")) + two])
    #expect(
      try scene.learned(prompt + #"", "weight": 0"# + rest, learnsPrompts: true)
        == [one + "<|im_start|>assistant\n" + "\n" + two])
    // Where the template marks answers, those are left out; where what is past is written otherwise, the row is refused.
    let marking = try Scene(
      template: "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
        + "<|im_end|>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}")
    #expect(
      try marking.learned(Self.turns(#", "weight": 0"#), learnsPrompts: true)
        == ["<user>1<assistant><user>2<assistant>right<|im_end|>"])
    let forgetting = try Scene(
      template: "{% for m in messages %}<{{ m.role }}>{{ m.content if loop.last else '' }}<|im_end|>{% endfor %}")
    #expect(
      forgetting.reason(Self.turns(#", "weight": 0"#), learnsPrompts: true)
        .contains("message 2 must not count in the loss, but the chat template changes it once more follows"))
  }

  @Test func aSystemColumnStandsFirst() throws {
    let scene = try Scene()
    let row =
      #"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": "Be brief."}"#
    #expect(try scene.load(row).shown[0].segments.text.hasPrefix("<|im_start|>system\nBe brief.<|im_end|>\n"))
    #expect(
      scene.reason(
        #"{"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "a"}], "system": "y"}"#
      ).contains("another system message"))
    #expect(scene.reason(#"{"text": "a b", "system": "y"}"#).contains("has \"system\", which only conversations"))
  }

  @Test func toolsAreWrittenOrRefused() throws {
    let tools = #", "tools": [{"name": "clock"}]"#
    #expect(try Scene().load(Self.turns("", tools)).shown[0].segments.text.hasPrefix("<tool>clock\n"))
    // As tables have them.
    #expect(
      try Scene().load(Self.turns("", #", "tools": "[{\"name\": \"clock\"}]""#)).shown[0].segments.text
        .hasPrefix("<tool>clock\n"))
    let plain = try Scene(template: "{% for m in messages %}{{ m.content }}{% endfor %}")
    #expect(
      plain.reason(Self.turns("", tools)).contains("has \"tools\", which the model's chat template does not render"))
    #expect(
      plain.reason(Self.turns(#", "tool_calls": [{"id": 1}]"#)).contains("\"tool_calls\", which the model's"))
    #expect(try Scene().reason(Self.turns("", #", "tools": 3"#)).contains("not a list of objects"))
  }

  /// What a template passes over, whatever words are in it, is not lost without a word.
  @Test func whatATemplateLeavesOutIsRefusedOrSaid() throws {
    let template =
      "{# tools #}{{ 'You have no tools, no documents and no function name.' }}{% for m in messages %}"
      + "{% if m.role in ['user', 'assistant'] %}<{{ m.role }}>{{ m.content | upper }}<|im_end|>{% endif %}{% endfor %}"
      + "{% if add_generation_prompt %}<assistant>{% endif %}"
    let scene = try Scene(template: template)
    for (more, reason) in [
      (#", "system": "Be brief.""#, "has a message (1) of the role \"system\", which"),
      (#", "tools": [{"name": "f"}]"#, "has \"tools\", which"),
      (#", "documents": [{"a": "b"}]"#, "has \"documents\", which"),
      (#", "chat_template_kwargs": {"tools": []}"#, "which is set by the row or by training"),
    ] {
      #expect(scene.reason(Self.turns("", more)).contains(reason), "\(more): \(scene.reason(Self.turns("", more)))")
    }
    for role in ["system", "developer", "tool"] {
      let row =
        #"{"messages": [{"role": "user", "content": "1"}, {"role": "\#(role)", "content": "x"}, "#
        + #"{"role": "assistant", "content": "2"}]}"#
      #expect(scene.reason(row).contains("has a message (2) of the role \"\(role)\", which"), "\(role)")
    }
    // Written in another way it is written.
    #expect(try scene.learned(Self.turns("")) == ["WRONG<|im_end|>RIGHT<|im_end|>"])
    #expect(try scene.load(Self.turns(#", "name": "x""#)).unread.map(\.name) == ["name (of a message)"])
    // No tools are none, and yet given.
    let asking = try Scene(
      template:
        "{{ 'T' if tools is not none }}{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>{% endfor %}"
        + "{% if add_generation_prompt %}<assistant>{% endif %}")
    #expect(try asking.load(Self.turns("", #", "tools": []"#)).shown[0].segments.text.hasPrefix("T<"))
    #expect(try asking.load(Self.turns("", #", "tools": null"#)).shown[0].segments.text.hasPrefix("<"))
  }

  @Test func whereTemplatesAre() throws {
    let tools = #", "tools": [{"name": "clock"}]"#
    let scene = try Scene()
    try scene.folder.write(
      "model/additional_chat_templates/tool_use.jinja",
      "WITH{% for t in tools %}{{ t.name }}{% endfor %}{% for m in messages %}<{{ m.role }}>{{ m.content }}<|im_end|>"
        + "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}")
    #expect(try scene.load(Self.turns("", tools)).shown[0].segments.text.hasPrefix("WITHclock<user>"))
    #expect(try scene.load(Self.turns("")).shown[0].segments.text.hasPrefix("<|im_start|>user"))
    // Of a processor, which a text model does not have.
    for name in ["chat_template.json", "processor_config.json"] {
      try scene.folder.write("model/\(name)", #"{"chat_template": "other"}"#)
    }
    #expect(try scene.load(Self.turns("")).shown[0].segments.text.hasPrefix("<|im_start|>user"))
  }

  @Test func anAnswerThatIsLearnedWithoutItsEndIsSaid() throws {
    func endless(_ answer: String) throws -> Int {
      try Scene(
        template: "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}\(answer){% else %}"
          + "{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
      ).load(Self.turns("")).endlessRows
    }
    #expect(try endless("{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}") == 0)
    #expect(try endless("{% generation %}{{ m.content }}{% endgeneration %}<|im_end|>") == 1)
    #expect(try endless("{{ m.content }}<|im_end|>") == 0)
    #expect(try endless("{{ m.content }}") == 1)
    #expect(try Scene().load(Self.turns("", #", "weight": 0"#) + "\n" + Self.turns("")).endlessRows == 0)
  }

  @Test func anAnswerWithoutWordsIsRefused() throws {
    func row(_ more: String) -> String {
      #"{"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": " "\#(more)}]}"#
    }
    let scene = try Scene(
      template: "{% for m in messages %}{{ m.role + ':' + (m.reasoning_content or '') + m.content }}<|im_end|>"
        + "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}")
    for more in ["", #", "reasoning_content": """#, #", "thinking": null"#, #", "tool_calls": []"#] {
      #expect(scene.reason(row(more)).contains("has an empty answer (message 2)"), "\(more)")
    }
    #expect(try scene.learned(row(#", "reasoning_content": "hm""#)) == ["hm <|im_end|>"])
  }

  @Test func masksOfReadyIds() throws {
    let scene = try Scene()
    func labels(_ row: String) throws -> [Int32] { try scene.load(row).examples[0].labels }
    let i = Example.ignored
    #expect(try labels(#"{"input_ids": [5, 6, 7, 1, 1], "attention_mask": [1, 1, 1, 0, 0]}"#) == [5, 6, 7])
    #expect(try labels(#"{"input_ids": [1, 5, 6], "attention_mask": [0, 1, 1], "labels": [-100, -100, 6]}"#) == [i, 6])
    for key in ["completion_mask", "assistant_masks", "loss_mask"] {
      #expect(try labels(#"{"input_ids": [5, 6, 7], "\#(key)": [0, 0, 1]}"#) == [i, i, 7])
      #expect(scene.reason(#"{"input_ids": [5, 6, 7], "\#(key)": [0, 1]}"#).contains("has 3 ids and a \"\(key)\" of 2"))
    }
    for (row, reason) in [
      (#"{"input_ids": [5, 6, 7], "attention_mask": [1, 0, 1]}"#, "zeros among ones"),
      (#"{"input_ids": [5, 6], "position_ids": [0, 0]}"#, "do not count from 0"),
      (#"{"input_ids": [5, 6], "token_type_ids": [0, 1]}"#, "other than 0"),
      (#"{"input_ids": [5, 6], "labels": [5, 6], "loss_mask": [0, 1]}"#, "keep only one of them"),
      (#"{"chosen": "a", "rejected": "b", "prompt": "c"}"#, "which marks preference data"),
    ] {
      #expect(scene.reason(row).contains(reason), "\(row): \(scene.reason(row))")
    }
    #expect(try labels(#"{"input_ids": [5, 6], "position_ids": [0, 1], "token_type_ids": [0, 0]}"#) == [5, 6])
  }

  @Test func otherForms() throws {
    let scene = try Scene()
    #expect(
      try scene.load(#"{"instruction": "Add.", "input": "1 1", "output": "2", "system": "s"}"#).shown[0].segments.text
        == "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nAdd.\n1 1<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
    )
    let row =
      #"{"prompt": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "old"}, "#
      + #"{"role": "user", "content": "2"}], "completion": [{"role": "assistant", "content": "new"}]}"#
    #expect(try scene.learned(row) == ["new<|im_end|>"])
    #expect(
      try scene.learned(#"{"conversations": [{"role": "user", "content": "a"}, {"from": "gpt", "value": "b"}]}"#)
        == ["b<|im_end|>"])
  }

  /// The same rows, however they are packed, give the same examples.
  @Test func filesOfAllKinds() throws {
    let scene = try Scene()
    let rows = [#"{"prompt": "a, \"b\"\n", "completion": "é c"}"#, #"{"prompt": "d", "completion": " e]}\\"}"#]
    let lines = rows.joined(separator: "\n") + "\n"
    let expected = try scene.load(lines)
    let table = "prompt,completion,id\n\"a, \"\"b\"\"\n\",é c,7\r\nd, e]}\\,8\n"
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    for (name, bytes) in [
      ("a.jsonl", mark + Array(lines.utf8)), ("plain.jsonl", Array(lines.utf8)),
      ("b.json", Array("[\(rows.joined(separator: ",\n"))]\n".utf8)),
      ("c.json", mark + Array(" [ \(rows.joined(separator: " , ")) ] ".utf8)), ("d.csv", Array(table.utf8)),
      ("e.CSV", mark + Array(table.utf8)),
      ("f.tsv", Array("prompt\tcompletion\n\"a, \"\"b\"\"\n\"\té c\nd\t e]}\\\n".utf8)),
    ] {
      #expect(try scene.load(bytes, as: name).examples == expected.examples, "\(name)")
      let path = try scene.folder.write(name, bytes)
      #expect(try exitCode("/usr/bin/gzip", ["-kf", path]) == 0)
      let packed = try InputFile.contents(of: path + ".gz", limit: 1 << 20)
      #expect(try scene.load(packed, as: name + ".gz").examples == expected.examples, "\(name).gz")
      // Two gzip files one behind the other are one, and one that is cut short is none.
      if name == "plain.jsonl" { #expect(try scene.load(packed + packed, as: "twice.gz").rows == 4) }
      #expect(throws: VPatchError.self) { try scene.load(Array(packed.dropLast(9)), as: name + ".gz") }
    }
    #expect(try scene.load(Array(table.utf8), as: "d.csv").unread.map(\.name) == ["id"])
  }

  @Test func tables() throws {
    let scene = try Scene()
    let rows = "prompt\tcompletion\na\tb\n"
    for name in ["a.tsv", "A.TSV"] { #expect(try scene.load(rows, as: name).examples.count == 1, "\(name)") }
    let weights = "prompt,completion,weight\na,b,0\na,b,1.0\na,b,True\na,b,FALSE\na,b,\n"
    let data = try scene.load(weights, as: "a.CSV")
    #expect(data.examples.count == 3 && data.leftOutRows == 2)
    #expect(throws: VPatchError.self) { try scene.load("prompt,completion,weight\na,b,0.5\n", as: "a.csv") }
    // What Alpaca's own files have, one column more.
    let alpaca = try scene.load("instruction,input,output,text\na,,b,written out\n", as: "b.csv")
    #expect(alpaca.examples.count == 1 && alpaca.unread.map(\.name) == ["text"])
    // The end that is learned is shown.
    let shown = try scene.load(#"{"prompt": "a", "completion": "b"}"#).shown[0].segments
    #expect(shown.last?.text == "<|im_end|>" && shown.last?.isAnswer == true)
  }

  @Test func filesThatAreNone() throws {
    let scene = try Scene()
    for (name, text, reason) in [
      ("a.parquet", "PAR1" + String(repeating: "x", count: 90), "is a Parquet table"),
      ("a.json", "[{\"text\": \"a b\"}", "without an end"),
      ("a.json", "[{\"text\": \"a b\"}}", "closed by a brace"), ("a.json", "[] x", "after its array"),
      ("a.json", "[]", "has no rows"),
      ("a.csv", "prompt,completion\n\"a,b\n", "an unterminated quoted field"),
      ("a.csv", "prompt,completion\na\n", "has 1 field in row 1, and 2 columns"),
      ("a.csv", "prompt,prompt\na,b\n", "several with the same name"),
      ("a.csv", "prompt,completion\na\"b,c\n", "a quote inside"),
      ("a.csv", "", "no row with column names"),
      ("a.csv", "prompt,completion\n\"a\"b,c\n", "after a quoted field"),
    ] {
      let error = #expect(throws: VPatchError.self, "\(name): \(text)") { try scene.load(text, as: name) }
      #expect(error?.reason.contains(reason) == true, "\(name): \(String(describing: error))")
    }
    for (bytes, reason) in [
      ([0xFF, 0xFE, 0x7B, 0], "is UTF-16"), ([0xFF, 0xFE, 0, 0, 0x7B], "is UTF-32"),
      (Array("BZh91AY".utf8), "is a compressed file (bzip2)"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "is a compressed file (xz)"),
      ([0x28, 0xB5, 0x2F, 0xFD, 4], "is a compressed file (zstd)"),
      ([0x50, 0x4B, 0x03, 0x04], "is a compressed file (zip)"),
    ] as [([UInt8], String)] {
      let error = #expect(throws: VPatchError.self) { try scene.load(bytes) }
      #expect(error?.reason.hasPrefix(reason) == true, "\(reason)")
    }
    let named = #expect(throws: VPatchError.self) {
      try scene.load("PAR1" + String(repeating: "x", count: 90), as: "it's.parquet")
    }
    #expect(named?.remedy?.hasSuffix(#"/it'\''s.parquet'"#) == true, "\(named?.remedy ?? "")")
  }
}

/// A program's exit code.
private func exitCode(_ path: String, _ arguments: [String]) throws -> Int32 {
  let process = try Process.run(URL(filePath: path), arguments: arguments)
  process.waitUntilExit()
  return process.terminationStatus
}
