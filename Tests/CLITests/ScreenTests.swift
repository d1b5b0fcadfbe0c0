import Base
import Foundation
import TestModels
import Testing

/// What a terminal of 80 columns shows.
@Suite("Screens of 80 columns") struct ScreenTests {
  let story: StackStory
  var folder: TestFolder { story.folder }

  init() throws {
    story = try StackStory()
    try story.done("stack", "new", "triage", "--base", story.base, "sa@0.5", "mlp")
  }

  /// Runs a command line in a pseudo-terminal.
  private func screen(_ line: String, columns: Int = 80, _ environment: [String: String] = [:]) throws -> String {
    try #require(FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "install bsdutils")
    let shell = "stty cols \(columns) rows 24; cd '\(folder.path)' && '\(Command.path)' \(line)"
    var environment = environment.merging(["VPATCH_STORE": folder.store, "TERM": "xterm"]) { a, _ in a }
    environment["COLUMNS"] = ""
    // Some runners of tests set it.
    environment["NO_COLOR"] = environment["NO_COLOR"] ?? ""
    let run = try Command("/usr/bin/script", ["-qec", shell, "/dev/null"], environment)
    return run.output.replacing("\r\n", with: "\n")
  }

  /// Without control sequences, and without lines that were redrawn.
  private func visible(_ screen: String) -> [String] {
    screen.replacing(#/\u{1B}\[[0-9;?]*[A-Za-z]/#, with: "").split(separator: "\n").map { line in
      String(line.split(separator: "\r").last ?? "")
    }
  }

  private func expectToFit(_ line: String, columns: Int = 80) throws {
    for text in visible(try screen(line, columns: columns)) {
      #expect(text.columnWidth <= columns, "\(line): \(text)")
    }
  }

  @Test("help of every command", arguments: [""] + HelpTests.commands) func help(command: String) throws {
    try expectToFit("help \(command)")
  }

  @Test(
    "help of the commands of stacks",
    arguments: ["new", "add", "remove-member", "show", "diff", "list", "export", "import", "delete-stack"])
  func stackHelp(command: String) throws { try expectToFit("help stack \(command)") }

  @Test(
    "tables and reports",
    arguments: [
      "list", "list --all", "show sa", "show triage", "stack list", "stack show triage --base base.safetensors", "log",
      "alias", "tag", "diff base.safetensors sa.safetensors", "diff sa both --base base.safetensors", "fsck", "gc",
      "create base.safetensors both.safetensors -o new.vpatch --name new",
      "apply base.safetensors sa mlp -o out.safetensors", "switch base.safetensors triage", "status base.safetensors",
      "revert sa.safetensors sa -o reverted.safetensors", "gate sa --max-forgetting 1", "verify sa",
      "verify sa --base base.safetensors --recipe sa-proj", "report sa -o report.html",
    ]) func results(line: String) throws
  { try expectToFit(line) }

  @Test("errors", arguments: TypingTests.typings.map(\.line)) func errors(line: String) throws { try expectToFit(line) }

  @Test("below 80 columns there are fewer of them, and --wide shows all") func narrow() throws {
    for columns in [60, 40] { try expectToFit("list", columns: columns) }
    let narrow = visible(try screen("list")).joined(separator: "\n")
    let wide = visible(try screen("list --wide")).joined(separator: "\n")
    let piped = try story.run("list").output
    #expect(!narrow.contains("tensors  ") && narrow.contains("(--wide also shows: "))
    #expect(wide.trimmingCharacters(in: .newlines) == piped.trimmingCharacters(in: .newlines))
    for title in ["name", "recipe", "learning", "forgetting", "size", "age"] { #expect(narrow.contains(title)) }
  }

  @Test("colours on a terminal, unless NO_COLOR is set; none in a pipe") func colours() throws {
    #expect(try screen("list").contains("\u{1B}[1m"))
    #expect(try screen("show nothing").contains("\u{1B}[31;1mvpatch:\u{1B}[0m"))
    #expect(try !screen("list", ["NO_COLOR": "1"]).contains("\u{1B}[1m"))
    #expect(try !story.run("list").output.contains("\u{1B}"))
  }
}
