import ArgumentParser
import Base
import Jinja
import Text

/// The chat template and its variables.
struct TemplateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Chat template instead of the model's own: a file, or \(ChatTemplate.names.joined(separator: ", ")).",
      valueName: "name-or-file"))
  var chatTemplate: String?
  @Option(
    help: ArgumentHelp(
      "Variable of the chat template, such as enable_thinking=false; repeatable.", valueName: "key=value"))
  var templateArg: [String] = []
  @Option(
    help: ArgumentHelp(
      "Date and time for chat templates that use the current date. (default: now)", valueName: "yyyy-mm-dd[Thh:mm:ss]"))
  var templateDate: String?

  /// - Throws: `refused` for an argument without a name, or an invalid date.
  func options() throws -> ChatTemplate.Options {
    var options = ChatTemplate.Options(source: chatTemplate)
    options.arguments = try templateArg.map(Self.argument)
    if let templateDate {
      guard let date = CivilTime(templateDate) else {
        throw VPatchError(
          .refused, nil, "--template-date: \"\(templateDate.printable)\" is not a date",
          remedy: "write 2026-11-30, or 2026-11-30T12:00:00")
      }
      options.date = date
    }
    return options
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
