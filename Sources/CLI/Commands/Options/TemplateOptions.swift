import ArgumentParser
import Base
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
    try ChatTemplate.Options(source: chatTemplate, arguments: templateArg, date: templateDate)
  }
}
