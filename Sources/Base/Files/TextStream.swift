import Glibc

/// An open descriptor that text goes to, piece after piece: standard output, standard error, a log, a pipe.
///
/// All of a piece comes out, or the writer is told. One that is full for now, as a pipe is that was made non-blocking by
/// whoever shares it, is waited for.
package struct TextStream: Sendable {
  package static let standardOutput = TextStream(STDOUT_FILENO, "standard output")
  package static let standardError = TextStream(STDERR_FILENO, "standard error")

  private let descriptor: CInt
  private let name: String

  /// - Parameter name: what errors call it.
  package init(_ descriptor: CInt, _ name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// Why it cannot be written.
  package enum Failure: Error {
    /// Who read it went away, as `head` does: nothing is wrong, and there is nobody to tell.
    case readerGone
    case failed(VPatchError)
  }

  /// Unbuffered: nothing is lost if the process ends right after. SIGPIPE must be ignored, or it ends the process.
  package func write(_ text: String) throws(Failure) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let n = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if n >= 0 {
        bytes = bytes.dropFirst(n)
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: try waitForRoom()
      case EPIPE: throw .readerGone
      default: throw .failed(VPatchError.system(name, "cannot be written"))
      }
    }
  }

  private func waitForRoom() throws(Failure) {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    while poll(&waiting, 1, -1) < 0 {
      if errno != EINTR { throw .failed(VPatchError.system(name, "cannot be written")) }
    }
  }

  /// Where the process was started without standard input, output or error, the next file that it opens would get that
  /// number, and what is said would be written into it. This gives them something that can be neither read nor written.
  package static func holdStandardDescriptors() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is given, and those below are taken by now.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
