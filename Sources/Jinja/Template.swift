/// A compiled chat template, rendered as in transformers 5.24: Jinja2 3.1.6 with `trim_blocks` and `lstrip_blocks`,
/// without autoescape, in an immutable sandbox, with the tags `generation`, `break` and `continue`, the filter `tojson`
/// for plain JSON, `raise_exception` and `strftime_now`.
///
/// Whenever Jinja2 renders a text, this renders the same bytes, or throws `unsupported` or `limit`.
package struct Template: Sendable {
  private let body: [Statement]
  private let scopes: Scopes
  /// Whether it marks the model's output with `{% generation %}`.
  package let hasGeneration: Bool

  /// - Throws: `TemplateError.syntax`, `unsupported` or `limit`.
  package init(_ source: String) throws(TemplateError) {
    var parser = try Parser(source)
    body = try parser.template()
    hasGeneration = parser.hasGeneration
    scopes = try Scopes(body, names: parser.nameCount, scopes: parser.scopeCount) {
      (expression) throws(TemplateError) in
      try Builtins.jinja2.require(in: expression)
    }
  }

  /// - Parameter context: the variables. transformers passes `messages`, `tools`, `documents` (`none` if there are
  ///   none), `add_generation_prompt`, the special tokens by their names, and the user's variables.
  /// - Throws: `TemplateError`, never `syntax`.
  package func render(
    _ context: [(name: String, value: Value)], _ surroundings: Surroundings = .init()
  ) throws(TemplateError) -> Rendering {
    let machine = Machine(scopes, .jinja2, context, surroundings)
    defer { machine.clear() }
    do throws(TemplateError) {
      try machine.run(body)
      return try machine.rendering(hasGeneration: hasGeneration)
    } catch {
      throw error.at(line: machine.line)
    }
  }
}
