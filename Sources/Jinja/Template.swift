/// A chat template, compiled once and rendered as often as one likes, as transformers 5.24 renders it: Jinja2 3.1.6
/// with `trim_blocks` and `lstrip_blocks`, without autoescape, in a sandbox that allows no changes, with the tags
/// `generation`, `break` and `continue`, the filter `tojson` of plain JSON, `raise_exception` and `strftime_now`.
///
/// Where Jinja2 gives a text, so does this, byte by byte, or it throws `unsupported` or `limit`.
package struct Template: Sendable {
  private let body: [Statement]
  private let scopes: Scopes
  /// Whether it says which parts are the model's, by `{% generation %}`.
  package let hasGeneration: Bool

  /// - Throws: `TemplateError.syntax`, `unsupported` or `limit`.
  package init(_ source: String) throws(TemplateError) {
    var parser = try Parser(source)
    body = try parser.template()
    hasGeneration = parser.hasGeneration
    scopes = try Scopes(body, names: parser.nameCount, scopes: parser.scopeCount)
  }

  /// - Parameter context: the variables. transformers gives `messages`, `tools`, `documents` (`none` if there are
  ///   none), `add_generation_prompt`, the special tokens by their names, and what the user adds.
  /// - Throws: `TemplateError`, never `syntax`.
  package func render(
    _ context: [(name: String, value: Value)], _ surroundings: Surroundings = .init()
  ) throws(TemplateError) -> Rendering {
    let machine = Machine(scopes, context, surroundings)
    defer { machine.clear() }
    do throws(TemplateError) {
      try machine.run(body)
      return try machine.rendering(hasGeneration: hasGeneration)
    } catch {
      throw error.at(line: machine.line)
    }
  }
}

/// What a template makes of a conversation.
package struct Rendering: Sendable {
  /// UTF-8.
  package let text: [UInt8]
  /// What `{% generation %}` encloses, in bytes of `text`, in the order in which it was rendered.
  package let generations: [Range<Int>]
  /// Whether the template has such a block, rendered or not.
  package let hasGeneration: Bool
  /// Whether the text may be another one on another day: `strftime_now` was called.
  package let usesDate: Bool

  package var string: String { String(decoding: text, as: UTF8.self) }
}

/// What rendering depends on besides the template and its variables.
package struct Surroundings: Sendable {
  /// What `strftime_now` tells.
  package var now: CivilTime
  package var limits: Limits

  package init(now: CivilTime = .init(), limits: Limits = .init()) {
    self.now = now
    self.limits = limits
  }
}

/// What rendering may take before it is a `TemplateError.limit`.
package struct Limits: Sendable {
  /// Statements and parts of expressions that are evaluated, and 64 bytes that are looked at or made each.
  package var steps: Int
  /// Bytes of all values that are made, beside 64 times what the variables take.
  package var memory: Int
  /// Bytes of text.
  package var output: Int
  /// How deep calls and parts of expressions may be nested.
  package var nesting: Int

  package init(
    steps: Int = 500_000, memory: Int = 4 << 20, output: Int = 8 << 20, nesting: Int = 250
  ) {
    self.steps = steps
    self.memory = memory
    self.output = output
    self.nesting = nesting
  }

  /// How deep lists and dicts may be nested.
  static let depth = 100
  /// How deep a template's blocks and brackets may be nested. Python compiles less than 100.
  static let syntaxDepth = 50
  /// How many operations the expressions of a statement may have.
  static let links = 300
}
