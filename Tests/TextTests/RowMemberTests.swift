import Base
import Foundation
import TestModels
import Testing

@testable import Text

/// Every member that docs/data.md names, in every form of a row: set, null, misspelt, and of each wrong type. It makes
/// other examples, or the row is refused, or the member is said to be read by nobody. Nothing is passed over.
@Suite struct RowMemberTests {
  /// Writes all that a conversation may say besides texts.
  private static let template = """
    {%- for t in tools or [] %}{{ '<tool>' + t.name }}{% endfor %}
    {%- for d in documents or [] %}{{ '<document>' + d.title }}{% endfor %}{{ '<' + (style or '') + '>' }}
    {%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}
    {%- if m.reasoning_content %}{{ m.reasoning_content }}{% endif %}
    {%- if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}
    {%- for c in m.tool_calls or [] %}{{ c.function.name }}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}
    {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
    """

  private enum Outcome: Equatable {
    case refused
    case made([Example], leftOut: Int, unread: [String])
  }

  private let folder: TestFolder
  private let text: ModelText

  init() throws {
    folder = try TestFolder()
    try folder.write(
      "model/tokenizer.json",
      try InputFile.contents(of: "\(TokenizerCase.fixtures)/smollm2/tokenizer.json", limit: 1 << 20))
    try folder.write("model/tokenizer_config.json", #"{"eos_token": "<|im_end|>", "bos_token": "<|im_start|>"}"#)
    try folder.write("model/chat_template.jinja", Self.template)
    text = try ModelText(folder: folder["model"])
  }

  private func outcome(_ row: JSON) throws -> Outcome {
    // One that is learned, so that a row which is left out leaves something.
    let line = row.canonical() + Array("\n{\"text\": \"a b c\"}\n".utf8)
    let path = try folder.write("rows.jsonl", line)
    do {
      let data = try DataFile(path: path, text, DataRules(vocabulary: 1000), WorkOptions(threads: 1))
      return .made(data.examples, leftOut: data.leftOutRows, unread: data.unread.map(\.name))
    } catch is VPatchError { return .refused }
  }

  /// A form, and what it may say besides: the key, a value that changes something or is refused, and values that say what
  /// is so anyway.
  private struct Form {
    let row: JSON
    /// Where the members stand: in the row, or in its last message.
    var inMessage: String?
    let members: [(key: String, value: String, idle: [String])]

    func with(_ key: String, _ value: JSON) -> JSON {
      var object = row.object!
      guard let list = inMessage else {
        object.removeAll { $0.key == key }
        return .object(object + [JSON.Member(key, value)])
      }
      let i = object.firstIndex { $0.key == list }!
      var messages = object[i].value.array!
      let last = messages.removeLast().object!.filter { $0.key != key }
      messages.append(.object(last + [JSON.Member(key, value)]))
      object[i] = JSON.Member(list, .array(messages))
      return .object(object)
    }
  }

  private static let learning = ["weight", "train", "training", "loss"].map { ($0, "0", ["1", "1.0", "true"]) }
  private static let ofConversations: [(key: String, value: String, idle: [String])] = [
    ("system", #""Be brief.""#, [#""""#]),
    ("tools", #"[{"name": "clock"}]"#, [#""""#, "[]", "{}", "false"]),
    ("documents", #"[{"title": "Owls"}]"#, [#""""#, "[]", "{}", "false"]),
    ("chat_template_kwargs", #"{"style": "short"}"#, ["{}"]),
    ("images", #"["a.png"]"#, ["[]"]), ("image", #""a.png""#, ["[]"]),
    ("chosen", #""a""#, [#""""#, "[]", "{}", "false"]), ("rejected", #""a""#, [#""""#, "[]", "{}", "false"]),
  ]
  private static let ofTexts: [(key: String, value: String, idle: [String])] = ofConversations.map {
    // What only a conversation has a place for is refused, where it says anything.
    ["images", "image"].contains($0.key) ? $0 : ($0.key, $0.value, [#""""#, "[]", "{}", "false"])
  }
  private static let messages =
    #""messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]"#

  private static func forms() throws -> [Form] {
    func row(_ text: String) throws -> JSON { try JSON.parse(Array(text.utf8)) }
    let idleText = [#""""#, "[]", "{}", "false", "0"]
    return try [
      Form(row: row("{\(messages)}"), members: ofConversations + learning),
      Form(
        row: row(#"{"conversations": [{"from": "human", "value": "1"}, {"from": "gpt", "value": "2"}]}"#),
        members: ofConversations + learning),
      Form(
        row: row(
          #"{"prompt": [{"role": "user", "content": "1"}], "completion": [{"role": "assistant", "content": "2"}]}"#),
        members: ofConversations + learning),
      Form(
        row: row(#"{"instruction": "1", "output": "2"}"#),
        members: ofConversations + learning
          + [("input", #""3""#, [#""""#]), ("history", #"[["a", "b"]]"#, [#""""#, "[]", "{}", "false"])]),
      Form(row: row(#"{"prompt": "1 ", "completion": "2"}"#), members: ofTexts + learning),
      Form(row: row(#"{"text": "1 2"}"#), members: ofTexts + learning),
      Form(
        row: row(#"{"input_ids": [5, 6, 7]}"#),
        members: ofTexts + learning + [
          ("labels", "[-100, 6, 7]", ["[5,6,7]"]), ("attention_mask", "[1, 1, 0]", ["[1,1,1]", "[true,true,true]"]),
          ("completion_mask", "[0, 1, 0]", ["[1,1,1]", "[true,true,true]"]),
          ("assistant_masks", "[0, 1, 0]", ["[1,1,1]", "[true,true,true]"]),
          ("loss_mask", "[0, 1, 0]", ["[1,1,1]", "[true,true,true]"]),
          ("position_ids", "[0, 1, 0]", ["[0,1,2]"]), ("token_type_ids", "[0, 1, 0]", ["[0,0,0]", "[]"]),
        ]),
      Form(
        row: row("{\(messages)}"), inMessage: "messages",
        members: learning + [
          ("role", #""user""#, []), ("content", #""3""#, []), ("reasoning_content", #""hm""#, idleText),
          ("thinking", #""hm""#, idleText), ("reasoning", #""hm""#, idleText),
          ("tool_calls", #"[{"function": {"name": "f"}}]"#, [#""""#, "[]", "{}", "false"]),
          ("train_detail", "[1]", []), ("loss_scale", "[0.5]", []),
        ]),
    ]
  }

  @Test func nothingIsPassedOver() throws {
    let values = [
      "3", "-1", "0", "1", "0.5", "1.0", "1e300", "true", "false", #""x""#, #""""#, "[]", "{}", "[3]", #"["x"]"#,
      "[[]]", "[null]", "[1, 1, 1]", #"{"a": 1}"#, #"[{"a": 1}]"#, #"[{"type": "text"}]"#, #"{"type": "text"}"#,
    ]
    var tried = 0
    for form in try Self.forms() {
      let plain = try outcome(form.row)
      guard case .made(let examples, 0, let none) = plain, examples.count == 2, none.isEmpty else {
        Issue.record("\(form.row) makes \(plain)")
        continue
      }
      for (key, value, idle) in form.members {
        let place = "\(key) of \(form.row), \(form.inMessage ?? "the row")"
        func outcome(_ key: String, _ value: String) throws -> Outcome {
          tried += 1
          return try self.outcome(form.with(key, try JSON.parse(Array(value.utf8))))
        }
        #expect(try outcome(key, value) != plain, "\(place): \(value) changes nothing")
        // What a form cannot be without is missing where it is null.
        if !["role", "content"].contains(key) { #expect(try outcome(key, "null") == plain, "\(place): null") }
        for value in idle { #expect(try outcome(key, value) == plain, "\(place): \(value) changes something") }
        let same = Set(try idle.map { try JSON.parse(Array($0.utf8)).canonical() })
        for wrong in values where !same.contains(try JSON.parse(Array(wrong.utf8)).canonical()) {
          #expect(try outcome(key, wrong) != plain, "\(place): \(wrong) is passed over")
        }
        for misspelt in [key + "s", key + "_", "_" + key, key.uppercased(), String(key.dropLast()), key + " "]
        where !form.members.contains(where: { $0.key == misspelt }) {
          switch try outcome(misspelt, value) {
          case .refused: break
          case .made(_, _, let unread):
            #expect(unread.contains { $0.hasPrefix(misspelt) }, "\(place): \(misspelt) is passed over")
          }
        }
      }
    }
    #expect(tried > 1000)
  }
}
