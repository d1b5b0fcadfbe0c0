import Apply
import Dispatch
import Glibc
import PatchFormat
import Synchronization

/// What is said, and where: results to standard output, everything else to standard error.
enum Terminal {
  static let isInteractive = isatty(2) == 1

  // Whatever a file, a catalogue or a model says: nothing of it rewrites the terminal.
  static func out(_ text: String) { write(text.printableText + "\n", to: STDOUT_FILENO) }
  static func note(_ text: String) { write(text.printableText + "\n", to: STDERR_FILENO) }
  /// A value on one line.
  static func out(line json: JSON) { out(json.compact().escapingControls) }

  /// All of it, unbuffered: nothing is lost if the process ends right after.
  static func write(_ text: String, to descriptor: CInt) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let n = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if n < 0, errno != EINTR { return }
      bytes = bytes.dropFirst(max(n, 0))
    }
  }

  static func error(_ error: VPatchError) {
    ProgressBar.clear()
    note("vpatch: \(error.description)")
  }
}

/// One line on standard error that is drawn over and over.
final class ProgressBar: Sendable {
  private let state = Mutex((phase: "", percent: -1))

  /// Progress that is drawn where a person looks on, and nowhere else.
  static func progress(quiet: Bool) -> Progress {
    guard !quiet, Terminal.isInteractive else { return Progress() }
    let bar = ProgressBar()
    return Progress { bar.draw($0, $1, $2) { "\(Format.bytes($0)) of \(Format.bytes($1))" } }
  }

  /// The same for what is counted.
  static func counting(_ noun: String, quiet: Bool) -> (_ phase: String, _ done: Int, _ total: Int) -> Void {
    guard !quiet, Terminal.isInteractive else { return { _, _, _ in } }
    let bar = ProgressBar()
    return { bar.draw($0, $1, $2) { "\(Format.grouped($0)) of \(Format.counted($1, noun))" } }
  }

  static func clear() {
    if Terminal.isInteractive { Terminal.write("\r\u{1B}[K", to: STDERR_FILENO) }
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
    Terminal.write(percent == 100 ? "\r\u{1B}[K" : line, to: STDERR_FILENO)
  }
}

/// Ctrl-C and a polite kill leave nothing behind.
enum Interruption {
  // Written once, before any thread starts.
  nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

  static func handle() {
    let queue = DispatchQueue(label: "interruption")
    for number in [SIGINT, SIGTERM, SIGHUP] {
      // Who started us with nohup, or in the background of a script, wants this signal ignored.
      guard !isIgnored(number) else { continue }
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        ProgressBar.clear()
        TemporaryFiles.deleteAll(andExit: 128 + number)
        Terminal.note("vpatch: what is begun can no longer be taken back, and is being finished")
      }
      source.resume()
      sources.append(source)
    }
    // A reader that goes away (vpatch show … | head) is no reason for a crash report.
    signal(SIGPIPE, SIG_DFL)
  }

  private static func isIgnored(_ number: CInt) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
