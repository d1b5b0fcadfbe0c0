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
    scopes = try Scopes(body, names: parser.nameCount, scopes: parser.scopeCount)
  }

  /// - Parameter context: the variables. transformers passes `messages`, `tools`, `documents` (`none` if there are
  ///   none), `add_generation_prompt`, the special tokens by their names, and the user's variables.
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

/// A rendered conversation.
package struct Rendering: Sendable {
  /// UTF-8.
  package let text: [UInt8]
  /// The contents of `{% generation %}` blocks, as byte ranges of `text`, in the order of rendering.
  package let generations: [Range<Int>]
  /// Whether the template has such a block, rendered or not.
  package let hasGeneration: Bool
  /// Whether the text may depend on the date: `strftime_now` was called.
  package let usesDate: Bool

  package var string: String { String(decoding: text, as: UTF8.self) }
}

/// Inputs of rendering besides the template and its variables.
package struct Surroundings: Sendable {
  /// The date for `strftime_now`.
  package var now: CivilTime
  package var limits: Limits

  package init(now: CivilTime = .init(), limits: Limits = .init()) {
    self.now = now
    self.limits = limits
  }
}

/// Resource limits of rendering; exceeding one is a `TemplateError.limit`.
package struct Limits: Sendable {
  /// Evaluated statements and subexpressions; 64 bytes that are read or created count as one.
  package var steps: Int
  /// Bytes of all created values, plus 64 times the size of the variables.
  package var memory: Int
  /// Bytes of output.
  package var output: Int
  /// Maximum nesting of calls and subexpressions.
  package var nesting: Int

  package init(
    steps: Int = 500_000, memory: Int = 4 << 20, output: Int = 8 << 20, nesting: Int = 250
  ) {
    self.steps = steps
    self.memory = memory
    self.output = output
    self.nesting = nesting
  }

  /// Maximum nesting of lists and dicts.
  static let depth = 100
  /// Maximum nesting of a template's blocks and brackets. Python compiles fewer than 100.
  static let syntaxDepth = 50
  /// Maximum number of operations in a statement's expressions.
  static let links = 300
}
