import Base
import Foundation
import TestModels
import Testing

/// A conversation on a terminal.
@Suite("Chat") struct ChatTests {
  let scene: EvalScene

  init() throws { scene = try EvalScene() }

  /// What the terminal shows while these lines are typed. They are typed ahead, so the chat ends with a command: the
  /// terminal would take a Ctrl-D before the chat reads from it.
  private func chat(_ lines: String..., more: String = "") throws -> String {
    try #require(FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "install bsdutils")
    let typed = scene.folder["typed"]
    try scene.folder.write("typed", lines.joined(separator: "\n") + "\n/quit\n")
    let chat = "cd '\(scene.folder.path)' && '\(Command.path)' generate base --threads 1 --max-tokens 4 \(more)"
    let run = try Command(
      "/bin/sh", ["-c", "exec timeout 60 /usr/bin/script -qec \"$1\" /dev/null < \"$0\"", typed, chat],
      ["TERM": "xterm", "HOME": scene.folder.path, "XDG_STATE_HOME": "", "VPATCH_STORE": scene.folder.store])
    #expect(run.code == 0, "\(run.output)")
    return run.output.replacing("\r", with: "").replacing(#/\u{1B}\[[0-9;?]*[A-Za-z]/#, with: "")
  }

  @Test("commands: help, another patch, a file that train takes; mistakes do not end it") func commands() throws {
    let shown = try chat(
      "cat", "/help", "/bogus", "/patch nothing", "/patch sa", "dog", "/save talk.jsonl", "/save talk.jsonl",
      "/system", "/system be short", "cat", "/reset", "/patch none")
    for words in [
      "/help shows commands, Ctrl-D ends the chat", "/system TEXT", "/bogus is not a command of the chat; /help shows",
      "nothing: does not exist", "now base + sa; a new conversation begins", "wrote talk.jsonl",
      "talk.jsonl: already exists", "/system needs a text", "now base; a new conversation begins",
    ] {
      #expect(shown.contains(words), "\(words): \(shown)")
    }
    let talk = try JSON.parse(try scene.folder.bytes("talk.jsonl"))
    let messages = talk["messages"]?.array ?? []
    #expect(messages.map { $0["role"]?.string } == ["user", "assistant"])
    #expect(messages.first?["content"]?.string == "dog")
    let train = try Command(
      "train", scene.base, "--recipe", "mlp", "--data", scene.folder["talk.jsonl"], "-o", scene.folder["x.vpatch"],
      "--dry-run")
    #expect(train.code == 0, "\(train.errors)")
  }

  @Test("lines are kept for the next chat, for their owner alone") func history() throws {
    _ = try chat("a line to remember", "/reset")
    let path = ".local/state/vpatch/chat_history"
    #expect(try scene.folder.text(path).contains("remember"))
    let mode = try FileManager.default.attributesOfItem(atPath: scene.folder[path])[.posixPermissions] as? Int
    #expect(mode == 0o600)
    // The key for the line before, past /quit and /reset: it is sent again.
    let shown = try chat("\u{1B}[A\u{1B}[A\u{1B}[A", "/reset")
    #expect(shown.contains("a line to remember"), "\(shown)")
  }

  @Test("without a terminal, lines are messages as before") func piped() throws {
    let run = try Command(
      "/bin/sh",
      ["-c", "printf 'cat\\n/reset\\ncat\\n' | \"$0\" generate \"$1\" --json --max-tokens 2", Command.path, scene.base])
    let lines = try run.output.split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
    #expect(lines.count == 2 && lines[0]["text"] == lines[1]["text"], "\(run.errors)")
  }
}
