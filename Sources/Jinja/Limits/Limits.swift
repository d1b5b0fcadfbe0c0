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
