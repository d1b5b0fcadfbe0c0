import Base
import Jinja

extension ChatTemplate.Options {
  /// The options as they are typed.
  /// - Parameters:
  ///   - source: a name of `ChatTemplate.names`, or the path of a file; nil: the model's own.
  ///   - arguments: variables as "key=value".
  ///   - date: "2026-11-30", or with "T12:00:00"; nil: now.
  /// - Throws: `refused` for an argument without a name, or an invalid date.
  package init(source: String?, arguments: [String], date: String?) throws {
    self.init(source: source, arguments: try arguments.map(Self.argument))
    guard let date else { return }
    guard let time = CivilTime(date) else {
      throw VPatchError(
        .refused, nil, "--template-date: \"\(date.printable)\" is not a date",
        remedy: "write 2026-11-30, or 2026-11-30T12:00:00")
    }
    self.date = time
  }

  /// A value is JSON if it parses; else it is a string.
  private static func argument(_ text: String) throws -> JSON.Member {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
      throw VPatchError(
        .refused, nil, "--template-arg: \"\(text.printable)\" has no variable name", remedy: "write key=value")
    }
    let (key, value) = (String(text[..<equals]), String(text[text.index(after: equals)...]))
    if ["True", "False", "None"].contains(value) {
      throw VPatchError(
        .refused, nil, "--template-arg: \(value) is Python syntax, not JSON",
        remedy: "write \(value == "None" ? "null" : value.lowercased())")
    }
    guard !ChatTemplate.reserved.contains(key) else {
      throw VPatchError(
        .refused, nil, "--template-arg: \"\(key)\" is reserved: vpatch sets it from the conversation",
        remedy: "leave it out")
    }
    return JSON.Member(key, (try? JSON.parse(Array(value.utf8))) ?? .string(value))
  }
}
