/// Why a template cannot be compiled or rendered.
///
/// If Jinja2 raises, rendering throws. Unsupported features throw `unsupported` rather than render different text.
package enum TemplateError: Error, Equatable, Sendable {
  /// The text is not a Jinja template.
  case syntax(line: Int, reason: String)
  /// Jinja2 may be able to render it, this module is not.
  case unsupported(line: Int, reason: String)
  /// The template rejected its input: the message of its `raise_exception`.
  case raised(String)
  /// An error in Jinja2, too: use of an undefined value, an unsuitable type, a division by zero.
  case failed(line: Int, reason: String)
  /// Rendering exceeds a limit: steps, memory, output or nesting.
  case limit(reason: String)

  /// The same error with this line, unless it has one.
  func at(line: Int) -> TemplateError {
    switch self {
    case .unsupported(0, let reason): .unsupported(line: line, reason: reason)
    case .failed(0, let reason): .failed(line: line, reason: reason)
    default: self
    }
  }

  /// An error in Jinja2, too, at the current line.
  static func failure(_ reason: String) -> TemplateError { .failed(line: 0, reason: reason) }

  /// An unsupported feature at the current line, which Jinja2 may be able to render.
  static func refusal(_ reason: String) -> TemplateError { .unsupported(line: 0, reason: reason) }
}

extension TemplateError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .syntax(let line, let reason): "the chat template is not valid, line \(line): \(reason)"
    case .unsupported(let line, let reason): "the chat template uses an unsupported feature, line \(line): \(reason)"
    case .raised(let message): "the chat template refuses this conversation: \(message)"
    case .failed(let line, let reason): "the chat template cannot be rendered, line \(line): \(reason)"
    case .limit(let reason): "the chat template exceeds a limit: \(reason)"
    }
  }
}
