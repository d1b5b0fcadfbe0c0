import Base
import Glibc
import Synchronization

/// Signal handling. Ctrl-C and SIGTERM leave nothing behind, and say what was kept; SIGPIPE and SIGXFSZ are ignored.
enum Interruption {
  private struct State {
    var farewell: String?
    var taker: (@Sendable (_ signal: CInt) -> Bool)?
  }

  private static let state = Mutex(State())

  /// What a user reads after an interrupt: what was kept, and how to go on. Nil: that the output was not written.
  static func setFarewell(_ text: String?) { state.withLock { $0.farewell = text } }

  /// Takes Ctrl-C instead of ending the process, until it is set to nil.
  static func setTaker(_ taker: (@Sendable () -> Void)?) {
    guard let taker else { return setStop(nil) }
    setStop { signal in
      if signal == SIGINT { taker() }
      return signal == SIGINT
    }
  }

  /// Called on each of the signals that end the process, until it is set to nil; true takes the signal.
  static func setStop(_ stop: (@Sendable (_ signal: CInt) -> Bool)?) { state.withLock { $0.taker = stop } }

  /// To be called before other threads are started: they inherit the blocked signals.
  static func handle() {
    // A closed pipe (vpatch show … | head) and a file at its size limit (ulimit -f) are errors of the call that wrote,
    // so that no work is left half done.
    for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }

    // A blocked signal waits for sigwait: none is lost, and none interrupts a call. Under nohup, or in the background
    // of a script, ignored signals stay ignored.
    var asked = askedFor
    pthread_sigmask(SIG_BLOCK, &asked, nil)
    var thread = pthread_t()
    let code = pthread_create(&thread, nil, { _ in Interruption.wait() }, nil)
    // Without the thread, the signals have their default effect.
    guard code == 0 else {
      pthread_sigmask(SIG_UNBLOCK, &asked, nil)
      return
    }
    pthread_detach(thread)
    TemporaryFiles.endsProcess(on: numbers)
  }

  private static func wait() -> Never {
    var asked = askedFor
    while true {
      var number: CInt = 0
      guard sigwait(&asked, &number) == 0 else { continue }
      let (farewell, taker) = state.withLock { ($0.farewell, $0.taker) }
      if let taker, taker(number) { continue }
      ProgressBar.clear()
      TemporaryFiles.deleteAll(andExit: 128 + number) { missing in
        Terminal.note("vpatch: interrupted" + (farewell ?? Self.standard(missing)))
      }
      Terminal.note("vpatch: this change can no longer be undone, and is being finished")
    }
  }

  private static func standard(_ missing: [String]) -> String {
    guard let first = missing.first else { return "" }
    return ": \(first.printable) was not written, and nothing is left of it; the same command starts again"
  }

  /// Ends the process as SIGPIPE does: silently; a shell reports the code 141.
  static func endByBrokenPipe() -> Never {
    signal(SIGPIPE, SIG_DFL)
    raise(SIGPIPE)
    // The parent process had blocked the signal.
    exit(128 + SIGPIPE)
  }

  private static var numbers: [CInt] { [SIGINT, SIGTERM, SIGHUP].filter { !isIgnored($0) } }

  private static var askedFor: sigset_t {
    var asked = sigset_t()
    sigemptyset(&asked)
    for number in numbers { sigaddset(&asked, number) }
    return asked
  }

  private static func isIgnored(_ number: CInt) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
