import Base
import Glibc
import Synchronization

/// What is said, and where: results to standard output, everything else to standard error.
///
/// Words never end what a command does: a patch that is being written, a model that is being switched is worth more than
/// the report of it. What could not be said on standard output decides the exit code at the end. Standard error has
/// nobody to be told of its own failing.
enum Terminal {
  static let isInteractive = isatty(STDERR_FILENO) == 1

  /// The first failure of standard output; nothing is printed after it.
  static var unsaid: Unsaid? { state.withLock { $0 } }
  private static let state = Mutex<Unsaid?>(nil)

  struct Unsaid {
    let failure: TextStream.Failure
    /// The words were of work that is done: they alone are lost.
    let isReport: Bool
  }

  // Whatever a file, a catalogue or a model says: nothing of it rewrites the terminal.
  static func out(_ text: String, isReport: Bool = false) { print(text.printableText + "\n", isReport: isReport) }

  /// A value on one line.
  static func out(line json: JSON) { out(json.compact().escapingControls) }

  /// Without an end of the line.
  static func print(_ text: String, isReport: Bool = false) {
    state.withLock { unsaid in
      guard unsaid == nil else { return }
      do throws(TextStream.Failure) {
        try TextStream.standardOutput.write(text)
      } catch {
        unsaid = Unsaid(failure: error, isReport: isReport)
      }
    }
  }

  /// For a command that goes on only to print more.
  /// - Throws: what kept standard output from being written.
  static func requireOutput() throws {
    if let unsaid { throw unsaid.failure }
  }

  static func note(_ text: String) { draw(text.printableText + "\n") }

  /// On standard error, without an end of the line.
  static func draw(_ text: String) { try? TextStream.standardError.write(text) }

  static func error(_ error: VPatchError) {
    ProgressBar.clear()
    note("vpatch: \(error.description)")
  }
}

/// One line on standard error that is drawn over and over.
final class ProgressBar: Sendable {
  private let state = Mutex((phase: "", percent: -1))

  /// Progress that is drawn where a person looks on, and nowhere else.
  static func progress(quiet: Bool) -> WorkProgress {
    guard !quiet, Terminal.isInteractive else { return WorkProgress() }
    let bar = ProgressBar()
    return WorkProgress { bar.draw($0, $1, $2) { "\(Format.bytes($0)) of \(Format.bytes($1))" } }
  }

  /// The same for what is counted.
  static func counting(_ noun: String, quiet: Bool) -> (_ phase: String, _ done: Int, _ total: Int) -> Void {
    guard !quiet, Terminal.isInteractive else { return { _, _, _ in } }
    let bar = ProgressBar()
    return { bar.draw($0, $1, $2) { "\(Format.grouped($0)) of \(Format.counted($1, noun))" } }
  }

  static func clear() {
    if Terminal.isInteractive { Terminal.draw("\r\u{1B}[K") }
  }

  private func draw(_ phase: String, _ done: Int, _ total: Int, _ text: (_ done: Int, _ total: Int) -> String) {
    let percent = total == 0 ? 100 : min(100, done * 100 / total)
    let line: String? = state.withLock { state in
      guard state.phase != phase || state.percent != percent else { return nil }
      state = (phase, percent)
      let filled = percent * 28 / 100
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 28 - filled)
      return "\r\u{1B}[K\(phase)  \(bar) \(percent) %  \(text(done, total))"
    }
    guard let line else { return }
    Terminal.draw(percent == 100 ? "\r\u{1B}[K" : line)
  }
}
