import Base
import Glibc
import Synchronization

/// Output: results go to standard output, everything else to standard error.
///
/// A failure to print never stops a command: writing a patch or switching a model matters more than its report. A
/// failure of standard output decides the exit code at the end. Failures of standard error are ignored.
enum Terminal {
  static let isInteractive = Screen.errors.width != nil

  /// The first failure of standard output; nothing is printed after it.
  static var unsaid: Unsaid? { state.withLock { $0 } }
  private static let state = Mutex<Unsaid?>(nil)

  struct Unsaid {
    let failure: TextStream.Failure
    /// Whether the lost text reported finished work, which is not lost.
    let isReport: Bool
  }

  // Text from files, catalogues and models must not control the terminal.
  /// - Parameter isWide: do not wrap lines at the terminal's width.
  static func out(_ text: String, isReport: Bool = false, isWide: Bool = false) {
    let text = Screen.output.text(text, isWide: isWide)
    print((Screen.output.hasColors ? Coloring.output(text) : text) + "\n", isReport: isReport)
  }

  /// Prints a value on one line.
  static func out(line json: JSON) { out(json.compact().escapingControls, isWide: true) }

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

  static func note(_ text: String) {
    let text = Screen.errors.text(text, hanging: 2)
    draw((Screen.errors.hasColors ? Coloring.message(text) : text) + "\n")
  }

  /// Writes to standard error, without a newline.
  static func draw(_ text: String) { try? TextStream.standardError.write(text) }

  /// A line of progress that replaces the one before. It is cut at the terminal's width: a line that wraps could not be
  /// replaced.
  static func redrawn(_ line: String) -> String {
    "\r\u{1B}[K" + line.printable.shortened(to: (Screen.errors.width ?? Screen.standard) - 1)
  }

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
      return Terminal.redrawn("\(phase)  \(bar) \(percent) %  \(text(done, total))")
    }
    guard let line else { return }
    Terminal.draw(percent == 100 ? "\r\u{1B}[K" : line)
  }
}
