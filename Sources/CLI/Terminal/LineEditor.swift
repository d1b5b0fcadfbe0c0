import Base
import CEdit
import Glibc

/// Reads lines on a terminal, with editing and a history that lasts (libedit).
final class LineEditor: @unchecked Sendable {
  // libedit's state is used by one thread; `interrupt` only writes to a pipe.
  private let editor: OpaquePointer

  /// - Returns: nil where standard input or output is no terminal.
  init?(prompt: String) {
    guard isatty(STDIN_FILENO) == 1, Screen.output.width != nil else { return nil }
    guard let editor = vp_line_editor_new(prompt, Self.historyPath()) else { return nil }
    self.editor = editor
  }

  deinit { vp_line_editor_free(editor) }

  enum Line {
    case text(String)
    /// Ctrl-C.
    case interrupted
    /// Ctrl-D.
    case end
  }

  func read() -> Line {
    var isInterrupted = false
    guard let text = vp_line_editor_read(editor, &isInterrupted) else { return isInterrupted ? .interrupted : .end }
    return .text(String(cString: text))
  }

  /// Ends `read`. Can be called from any thread.
  func interrupt() { vp_line_editor_interrupt(editor) }

  /// `vpatch/chat_history` in the folder for state (XDG); nil where there is none, and the history ends with the chat.
  private static func historyPath() -> String? {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    guard let folder = variable("XDG_STATE_HOME") ?? variable("HOME").map({ Path.join($0, ".local/state") }) else {
      return nil
    }
    let own = Path.join(folder, "vpatch")
    guard (try? Directory.make([folder, own])) != nil else { return nil }
    return Path.join(own, "chat_history")
  }
}
