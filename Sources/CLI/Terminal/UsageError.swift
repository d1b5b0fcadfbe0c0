import ArgumentParser
import Base

/// A command line that is not understood: what is wrong with it, and what was probably meant, in one or two lines.
struct UsageError: Error {
  let message: String
  /// The command that has the help: "vpatch stack".
  let command: String
  /// How to use it, without its optional parts; nil where the message says enough.
  var usage: String?

  var text: String {
    "Error: \(message)\n" + (usage.map { "Usage: \($0); see '\(command) --help'" } ?? "  See '\(command) --help'.")
  }

  // MARK: Unknown commands

  /// What other tools call it, and what that is here.
  private static let synonyms: [String: String] = [
    "ls": "list", "dir": "list", "checkout": "switch", "use": "switch", "merge": "stack new", "combine": "stack new",
    "make": "create", "new": "create", "commit": "create", "extract": "create", "undo": "revert", "restore": "revert",
    "reset": "revert", "unapply": "revert", "remove": "delete-patch", "delete": "delete-patch", "install": "add",
    "import": "add", "info": "show", "cat": "show", "inspect": "show", "describe": "show", "history": "log",
    "clean": "gc", "prune": "gc", "check": "verify", "test": "eval", "evaluate": "eval", "tune": "train",
    "fine-tune": "train", "finetune": "train", "chat": "generate", "run": "generate", "ask": "generate",
    "html": "report", "compare": "diff", "rename": "alias", "name": "alias", "concat": "compose", "squash": "compose",
    "hash": "status", "repair": "recover",
  ]

  /// The error for a first word that names no command; nil if all words that must are names of commands.
  static func unknownCommand(in arguments: [String], root: any ParsableCommand.Type) -> UsageError? {
    var names = [root.name]
    var command = root
    for word in arguments {
      let inner = command.configuration.subcommands
      guard !inner.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
      guard let next = inner.first(where: { $0.allNames.contains(word) }) else {
        let known = inner.flatMap { $0.allNames }
        var near = NearMiss.of(word, among: known, limit: 2)
        if names.count == 1, let synonym = synonyms[word.lowercased()] { near = [synonym] }
        let line = names.joined(separator: " ")
        let meant = near.map { "'\(line) \($0)'" }.joined(separator: " or ")
        return UsageError(
          message: "'\(word.printable)' is not a command of \(line)." + (near.isEmpty ? "" : " Did you mean \(meant)?"),
          command: line)
      }
      names.append(next.name)
      command = next
    }
    return nil
  }

  // MARK: Errors of the parser

  /// The error that argument-parser has for a command line, without the list of all options.
  init(parsing error: any Error, root: any ParsableCommand.Type) {
    // "Error: …", "Help:  …", "Usage: …", "  See 'vpatch create --help' for more information."
    let lines = root.fullMessage(for: error).split(separator: "\n").map(String.init)
    let usage = lines.first { $0.hasPrefix("Usage: ") }.map { String($0.dropFirst(7)) }
    let see = lines.last { $0.contains("See '") }?.split(separator: "'").dropFirst().first.map(String.init)
    command = see.map { $0.hasSuffix(" --help") ? String($0.dropLast(7)) : $0 } ?? root.name
    let said = lines.prefix { !$0.hasPrefix("Help: ") && !$0.hasPrefix("Usage: ") }.joined(separator: " ")
    message = Self.withNearValue(said.hasPrefix("Error: ") ? String(said.dropFirst(7)) : said)
    // What is missing is seen in the usage; other errors name what is wrong.
    self.usage = message.hasPrefix("Missing expected argument") ? usage.map(Self.required) : nil
  }

  /// A list of values in one line, after the one that was probably meant.
  private static func withNearValue(_ text: String) -> String {
    guard text.hasPrefix("The value '"), let end = text.firstRange(of: ". Please provide one of") else { return text }
    let values = text[end.upperBound...].split { !$0.isLetter && !$0.isNumber && $0 != "-" && $0 != "_" }
      .map { String($0.drop { $0 == "-" }) }.filter { !$0.isEmpty && !["the", "following"].contains($0) }
    let given = text.dropFirst(11).prefix { $0 != "'" }
    let near = NearMiss.of(String(given), among: values, limit: 1).first
    return text[..<end.lowerBound] + "." + (near.map { " Did you mean '\($0)'?" } ?? "")
      + " Values are \(values.joined(separator: ", "))."
  }

  private init(message: String, command: String, usage: String? = nil) {
    (self.message, self.command, self.usage) = (message, command, usage)
  }

  /// The usage without what is in brackets.
  private static func required(_ usage: String) -> String {
    var (text, depth) = ("", 0)
    for character in usage {
      if character == "[" { depth += 1 }
      if depth == 0 { text.append(character) }
      if character == "]" { depth -= 1 }
    }
    return text.split(separator: " ").joined(separator: " ") + " [options]"
  }
}

extension ParsableCommand {
  static var name: String { configuration.commandName ?? "\(Self.self)".lowercased() }
  fileprivate static var allNames: [String] { [name] + configuration.aliases }
}
