import ArgumentParser
import Base
import Jinja
import Text

/// How conversations are written.
struct TemplateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Another chat template than the model's own: a file, or \(ChatTemplate.names.joined(separator: ", ")).",
      valueName: "name-or-file"))
  var chatTemplate: String?
  @Option(
    help: ArgumentHelp(
      "A variable of the chat template, such as enable_thinking=false; repeatable.", valueName: "key=value"))
  var templateArg: [String] = []
  @Option(
    help: ArgumentHelp(
      "The time that a chat template takes for now, where it asks (default: now).", valueName: "yyyy-mm-dd[Thh:mm:ss]"))
  var templateDate: String?

  /// - Throws: `refused` for an argument without a name, or a date that is none.
  func options() throws -> ChatTemplate.Options {
    var options = ChatTemplate.Options(source: chatTemplate)
    options.arguments = try templateArg.map(Self.argument)
    if let templateDate {
      guard let date = CivilTime(templateDate) else {
        throw VPatchError(
          .refused, nil, "--template-date: \"\(templateDate.printable)\" is no date",
          remedy: "write 2026-11-30, or 2026-11-30T12:00:00")
      }
      options.date = date
    }
    return options
  }

  /// A value is JSON where it can be; else it is a text.
  private static func argument(_ text: String) throws -> JSON.Member {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
      throw VPatchError(
        .refused, nil, "--template-arg: \"\(text.printable)\" names no variable", remedy: "write key=value")
    }
    let (key, value) = (String(text[..<equals]), String(text[text.index(after: equals)...]))
    if ["True", "False", "None"].contains(value) {
      throw VPatchError(
        .refused, nil, "--template-arg: \(value) is Python's way to write it",
        remedy: "write \(value == "None" ? "null" : value.lowercased())")
    }
    guard !ChatTemplate.reserved.contains(key) else {
      throw VPatchError(
        .refused, nil, "--template-arg: \"\(key)\" is what the conversation is of itself, and no argument",
        remedy: "give it with the conversation")
    }
    return JSON.Member(key, (try? JSON.parse(Array(value.utf8))) ?? .string(value))
  }
}
