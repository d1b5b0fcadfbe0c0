import Base
import Glibc
import Synchronization

/// Output: results go to standard output, everything else to standard error.
///
/// A failure to print never stops a command: writing a patch or switching a model matters more than its report. A
/// failure of standard output decides the exit code at the end. Failures of standard error are ignored.
enum Terminal {
  static let isInteractive = isatty(STDERR_FILENO) == 1

  /// The first failure of standard output; nothing is printed after it.
  static var unsaid: Unsaid? { state.withLock { $0 } }
  private static let state = Mutex<Unsaid?>(nil)

  struct Unsaid {
    let failure: TextStream.Failure
    /// Whether the lost text reported finished work, which is not lost.
    let isReport: Bool
  }

  // Text from files, catalogues and models must not control the terminal.
  static func out(_ text: String, isReport: Bool = false) { print(text.printableText + "\n", isReport: isReport) }

  /// Prints a value on one line.
  static func out(line json: JSON) { out(json.compact().escapingControls) }

  /// Prints without a newline.
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

  /// For a command whose only remaining work is to print.
  /// - Throws: the failure of standard output.
  static func requireOutput() throws {
    if let unsaid { throw unsaid.failure }
  }

  static func note(_ text: String) { draw(text.printableText + "\n") }

  /// Writes to standard error, without a newline.
  static func draw(_ text: String) { try? TextStream.standardError.write(text) }

  static func error(_ error: VPatchError) {
    ProgressBar.clear()
    note("vpatch: \(error.description)")
  }
}

/// A progress line on standard error, redrawn in place.
final class ProgressBar: Sendable {
  private let state = Mutex((phase: "", percent: -1))

  /// Progress, drawn only on a terminal.
  static func progress(quiet: Bool) -> WorkProgress {
    guard !quiet, Terminal.isInteractive else { return WorkProgress() }
    let bar = ProgressBar()
    return WorkProgress { bar.draw($0, $1, $2) { "\(Format.bytes($0)) of \(Format.bytes($1))" } }
  }

  /// The same for counted items.
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
