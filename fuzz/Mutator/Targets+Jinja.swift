import Base
import Jinja

/// Chat templates: what is no template, and what one does with conversations.
extension FuzzTargets {
  private static let conversations: [[(name: String, value: Value)]] = [
    #"[{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi\r\n e\u0301 😀 {{ 1 }} "}]"#,
    #"[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}, {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [{"function": {"name": "f", "arguments": {"x": [1, 2.5, null, true]}}}]}, {"role": "tool", "content": "{}"}]"#,
    "[]",
  ].compactMap { text in
    guard let messages = try? Value(JSON.parse(Array(text.utf8))) else { preconditionFailure("a conversation") }
    return [
      ("messages", messages), ("tools", .none), ("documents", .none), ("add_generation_prompt", .bool(true)),
      ("bos_token", Value("<s>")), ("eos_token", Value("</s>")),
    ]
  }

  func jinjaSyntax(_ bytes: UnsafeRawBufferPointer) {
    expectTemplateError { () throws(TemplateError) in
      _ = try Template(String(decoding: bytes, as: UTF8.self))
      accept()
    }
  }

  func jinja(_ bytes: UnsafeRawBufferPointer) {
    expectTemplateError { () throws(TemplateError) in
      let template = try Template(String(decoding: bytes, as: UTF8.self))
      for conversation in Self.conversations {
        expectTemplateError { () throws(TemplateError) in
          let rendering = try template.render(conversation)
          precondition(rendering.generations.allSatisfy { $0.upperBound <= rendering.text.count })
          accept()
        }
      }
    }
  }

  private func expectTemplateError(_ body: () throws(TemplateError) -> Void) {
    do throws(TemplateError) { try body() } catch { precondition(!error.description.isEmpty) }
  }
}
