// The syntax tree of a template, with the names of Jinja2's nodes where they exist.

/// An occurrence of a name. Scoping assigns each a location (`Scopes`).
struct Name: Sendable {
  enum Use: Sendable { case load, store, parameter }

  let text: String
  let use: Use
  /// Sequential number in the template.
  let id: Int
  let line: Int
}

/// A value that a template writes out.
enum Literal: Sendable {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(PythonText)
}

indirect enum Expression: Sendable {
  case constant(Literal)
  case name(Name)
  case tuple([Expression])
  case list([Expression])
  case dict([(key: Expression, value: Expression)])
  /// `value.name`
  case attribute(Expression, PythonText, line: Int)
  /// `value[item]`
  case item(Expression, Expression, line: Int)
  case slice(start: Expression?, stop: Expression?, step: Expression?)
  case call(Expression, CallArguments, line: Int)
  /// Without a value in a filter block or a set block: applies to the block's text.
  case filter(Expression?, name: String, CallArguments, line: Int)
  case test(Expression, name: String, CallArguments, line: Int)
  case not(Expression)
  case negative(Expression)
  case positive(Expression)
  case and(Expression, Expression)
  case or(Expression, Expression)
  case arithmetic(Arithmetic, Expression, Expression, line: Int)
  case compare(Expression, [(comparison: Comparison, operand: Expression)], line: Int)
  case concat([Expression])
  case conditional(test: Expression, then: Expression, otherwise: Expression?, line: Int)
}

enum Arithmetic: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case modulo = "%"
  case power = "**"
}

enum Comparison: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

/// The arguments of a call.
struct CallArguments: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  /// `*values`
  var more: Expression?
  /// `**values`
  var moreNamed: Expression?
}

/// Target of an assignment.
indirect enum Target: Sendable {
  case name(Name)
  /// `namespace.attribute`
  case attribute(Name, PythonText)
  case tuple([Target])
}

/// Parameters and body of a macro or a call block.
struct Callable: Sendable {
  var parameters: [Name]
  /// Of the last parameters.
  var defaults: [Expression]
  var body: [Statement]
  /// Sequential number of its scope in the template.
  let scope: Int
  let line: Int
}

struct Loop: Sendable {
  let target: Target
  /// The target again, for the condition, whose names are separate.
  let testTarget: Target
  let iterated: Expression
  let test: Expression?
  let body: [Statement]
  let otherwise: [Statement]
  let isRecursive: Bool
  let scope: Int
  let testScope: Int
  let otherwiseScope: Int
  let line: Int
}

indirect enum Statement: Sendable {
  case text(PythonText)
  case output(Expression, line: Int)
  case loop(Loop)
  /// `if` and each `elif` with its body, then `else`.
  case conditional([(test: Expression, body: [Statement])], otherwise: [Statement], line: Int)
  case set(Target, Expression, line: Int)
  case setBlock(Target, filter: Expression?, body: [Statement], scope: Int, line: Int)
  case with([(target: Target, value: Expression)], body: [Statement], scope: Int, line: Int)
  case filterBlock(filter: Expression, body: [Statement], scope: Int, line: Int)
  case macro(Name, Callable)
  case callBlock(call: Expression, Callable)
  case generation(Callable)
  case breakLoop, continueLoop
}
