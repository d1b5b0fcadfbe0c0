/// A token of a template.
struct Token: Sendable {
  enum Kind: Sendable, Equatable {
    /// Text outside tags.
    case data(PythonText)
    case variableBegin, variableEnd, blockBegin, blockEnd
    case name(String)
    case string(PythonText)
    case integer(Int)
    case float(Double)
    /// One of `Lexer.operators`.
    case op(String)
    case end
  }

  let kind: Kind
  let line: Int

  /// Description for messages.
  var words: String {
    switch kind {
    case .data: "text"
    case .variableBegin: "'{{'"
    case .variableEnd: "'}}'"
    case .blockBegin: "'{%'"
    case .blockEnd: "'%}'"
    case .name(let name): "'\(name)'"
    case .string: "a string"
    case .integer, .float: "a number"
    case .op(let op): "'\(op)'"
    case .end: "the end of the template"
    }
  }
}
