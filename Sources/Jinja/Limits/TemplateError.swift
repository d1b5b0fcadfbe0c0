/// Why a template cannot be compiled, or not be rendered with what it was given.
///
/// Where Jinja2 raises, a template throws; where this module knows less than Jinja2, it throws `unsupported`, and never
/// renders other text.
package enum TemplateError: Error, Equatable, Sendable {
  /// The text is not a Jinja template.
  case syntax(line: Int, reason: String)
  /// Jinja2 may render it, this module does not.
  case unsupported(line: Int, reason: String)
  /// The template refused what it was given: the message of its `raise_exception`.
  case raised(String)
  /// What Jinja2 raises as well: an undefined value that is used, a type that does not fit, a division by zero.
  case failed(line: Int, reason: String)
  /// Rendering takes more than is allowed: steps, memory, output or nesting.
  case limit(reason: String)

  /// The line, where the error has none of its own yet.
  func at(line: Int) -> TemplateError {
    switch self {
    case .unsupported(0, let reason): .unsupported(line: line, reason: reason)
    case .failed(0, let reason): .failed(line: line, reason: reason)
    default: self
    }
  }

  /// What Jinja2 would raise, at the line that is being rendered.
  static func failure(_ reason: String) -> TemplateError { .failed(line: 0, reason: reason) }

  /// What Jinja2 may render, at the line that is being rendered.
  static func refusal(_ reason: String) -> TemplateError { .unsupported(line: 0, reason: reason) }
}

extension TemplateError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .syntax(let line, let reason): "the chat template is not valid, line \(line): \(reason)"
    case .unsupported(let line, let reason): "the chat template uses what is not supported, line \(line): \(reason)"
    case .raised(let message): "the chat template refuses this conversation: \(message)"
    case .failed(let line, let reason): "the chat template cannot be rendered, line \(line): \(reason)"
    case .limit(let reason): "the chat template needs too much: \(reason)"
    }
  }
}
