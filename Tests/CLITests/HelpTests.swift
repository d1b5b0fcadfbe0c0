import Foundation
import TestModels
import Testing

/// Help texts are golden files. `VPATCH_BLESS=1 swift test --filter HelpTests` writes them anew.
@Suite("Help") struct HelpTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

  static let commands = [
    "create", "apply", "revert", "switch", "recover", "status", "show", "verify", "diff", "compose", "rebase", "stack",
    "add", "list", "log", "alias", "tag", "delete-patch", "fsck", "gc", "annotate", "train", "eval", "generate",
    "score", "gate",
    "sign", "report", "export", "recipe", "demo",
  ]

  @Test("help texts", arguments: [""] + commands)
  func help(command: String) throws {
    let run = try Command(Command.path, command.isEmpty ? ["--help"] : ["help", command])
    #expect(run.code == 0)
    #expect(run.errors.isEmpty)
    let file = Self.folder.appending(path: command.isEmpty ? "help.txt" : "help-\(command).txt")
    if ProcessInfo.processInfo.environment["VPATCH_BLESS"] == "1" {
      try Data(run.output.utf8).write(to: file)
    }
    #expect(run.output == (try String(contentsOf: file, encoding: .utf8)))
  }

  @Test("every command has examples and says its exit codes") func contents() throws {
    for command in Self.commands {
      #expect(try Command("help", command).output.contains("EXAMPLES"))
    }
    let help = try Command("--help").output
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "64 ", "129, 130, 143 "] {
      #expect(help.contains("\n  \(code)"), "\(code)")
    }
  }

  @Test(
    "a command line that is not understood",
    arguments: [
      ["frobnicate"], ["create"], ["create", "a"], ["apply", "a"], ["apply", "a", "b"], ["show"], ["show", "a", "b"],
      ["show", "a", "--wrong"], ["verify", "a", "--recipe"], ["apply", "a", "b", "-o", "c", "--threads", "0"],
      ["create", "a", "b", "-o", "c", "--map-keys", "never"], ["diff", "a", "b", "--threads", "two"],
    ]) func usage(arguments: [String]) throws
  {
    let run = try Command(Command.path, arguments)
    #expect(run.code == 64)
    #expect(run.errors.hasPrefix("Error: "))
    #expect(run.errors.contains("Usage: vpatch") || run.errors.contains("--help"))
    #expect(run.output.isEmpty)
  }

  @Test("no arguments: what there is") func nothing() throws {
    #expect(try Command(Command.path, []).output.contains("SUBCOMMANDS"))
  }

  @Test("--version") func version() throws {
    #expect(try Command("--version").output == "0.1.0\n")
  }

  @Test("completions", arguments: ["bash", "zsh", "fish"]) func completions(shell: String) throws {
    let run = try Command("--generate-completion-script", shell)
    #expect(run.code == 0)
    for word in ["create", "apply", "revert", "show", "verify", "diff", "add", "fsck", "sa-proj"] {
      #expect(run.output.contains(word), "\(word)")
    }
    // The only one of them that every system has, and that can say so.
    if shell == "bash" {
      let folder = try TestFolder()
      let script = try folder.write("completion", run.output)
      #expect(try Command("/bin/bash", ["-n", script]).code == 0)
    }
  }
}
