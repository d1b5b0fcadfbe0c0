import Base
import Glibc

/// Runs command lines as a user's shell does.
enum Shell {
  /// Runs a line in a folder; its output goes where this process's goes.
  /// - Parameters:
  ///   - program: the `vpatch` that the line means.
  ///   - environment: variables beside those of this process.
  /// - Returns: the exit code.
  static func run(_ line: String, in folder: String, program: String, environment: [String: String]) throws -> Int32 {
    for (name, value) in environment { setenv(name, value, 1) }
    // A function, so that the line can say `vpatch` wherever the program lies.
    let script = "cd \(Path.shellWord(folder)) || exit 1\nvpatch() { \(Path.shellWord(program)) \"$@\"; }\n\(line)\n"
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // This process handles signals in a thread and blocks them elsewhere; programs that it runs must not inherit that.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var arguments: [UnsafeMutablePointer<CChar>?] =
      ["/bin/sh", "-c", script].map { (text: String) in strdup(text) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    let code = posix_spawn(&process, "/bin/sh", nil, &attributes, &arguments, environ)
    guard code == 0 else {
      errno = code
      throw VPatchError.system("/bin/sh", "cannot be run")
    }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { throw VPatchError.system("/bin/sh", "cannot be waited for") }
    }
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }
}
