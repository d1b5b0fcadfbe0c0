import Glibc

/// An open descriptor for text output: standard output, standard error, a log, a pipe.
///
/// Each write is complete or fails. If the descriptor is non-blocking and full, as a shared pipe may be, the write
/// waits.
package struct TextStream: Sendable {
  package static let standardOutput = TextStream(STDOUT_FILENO, "standard output")
  package static let standardError = TextStream(STDERR_FILENO, "standard error")

  private let descriptor: CInt
  private let name: String

  /// - Parameter name: its name in errors.
  package init(_ descriptor: CInt, _ name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// Why a write failed.
  package enum Failure: Error {
    /// The reader closed the pipe, as `head` does. Not an error to report.
    case readerGone
    case failed(VPatchError)
  }

  /// Unbuffered, so nothing is lost if the process ends right after. SIGPIPE must be ignored, or it ends the process.
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

  /// Opens /dev/null for standard input, output and error where they are closed. Otherwise the next file that is opened
  /// would get that number, and output would be written into it. The replacements can be neither read nor written.
  package static func holdStandardDescriptors() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // open(2) returns the lowest free number, and the lower ones are taken by now.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
