import Jinja
import PatchFormat
import Testing

struct TemplateTests {
  @Test func rendersChatML() throws {
    let template = try Template(
      """
      {%- for m in messages %}
      <|im_start|>{{ m.role }}
      {{ m['content'] | trim }}<|im_end|>
      {%- endfor %}
      """)
    let messages = try Value(JSON.parse(Array(#"[{"role": "user", "content": " a "}]"#.utf8)))
    let rendering = try template.render([("messages", messages)])
    #expect(rendering.string == "<|im_start|>user\na<|im_end|>")
  }
}
