import Base
import Glibc

/// What signals do: Ctrl-C and a polite kill leave nothing behind, and what can be said as an error is no signal.
enum Interruption {
  /// To be called before any other thread is there: they inherit what is blocked.
  static func handle() {
    // A reader that goes away (vpatch show … | head) and a file that has become as large as it may (ulimit -f) are
    // errors of the call that wrote: nothing of what is being done is left half done.
    for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }

    // Blocked, one waits until it is asked for: none is lost, and none cuts into a call. Who started us with nohup, or
    // in the background of a script, wants it ignored.
    var asked = askedFor
    pthread_sigmask(SIG_BLOCK, &asked, nil)
    var thread = pthread_t()
    let code = pthread_create(&thread, nil, { _ in Interruption.wait() }, nil)
    // Without the thread they do what they do to any program.
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
      ProgressBar.clear()
      TemporaryFiles.deleteAll(andExit: 128 + number)
      Terminal.note("vpatch: what is begun can no longer be taken back, and is being finished")
    }
  }

  /// Ends the process as one that wrote to a pipe which nobody reads: silently, and known to a shell by the code 141.
  static func endByBrokenPipe() -> Never {
    signal(SIGPIPE, SIG_DFL)
    raise(SIGPIPE)
    // It was blocked by whoever started us.
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
