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
