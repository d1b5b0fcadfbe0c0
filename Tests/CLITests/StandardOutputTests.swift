import Foundation
import Glibc
import TestModels
import Testing

/// Results that cannot be printed: the exit code says so, and what was done stays done.
@Suite("Standard output") struct StandardOutputTests {
  let scene: EvalScene
  var folder: TestFolder { scene.folder }

  init() throws { scene = try EvalScene() }

  /// Runs the command with its descriptors as a shell's words put them, such as `> /dev/full`.
  private func run(_ arguments: [String], _ redirection: String) throws -> Command {
    // The folder among the arguments of the shell decides the store.
    try Command("/bin/bash", ["-c", "\"$@\" \(redirection)", folder.path, Command.path] + arguments)
  }

  /// A command of each kind that does nothing but print.
  private func looks() throws -> [[String]] {
    #expect(try Command("stack", "new", "both", "--base", scene.base, scene.saPatch, scene.mlpPatch).code == 0)
    #expect(try Command("alias", "first", scene.saPatch, "--store", folder.store).code == 0)
    #expect(try Command("tag", scene.saPatch, "seen", "--store", folder.store).code == 0)
    let inStore = ["--store", folder.store]
    return [
      ["show", scene.saPatch], ["show", scene.saPatch, "--json"], ["verify", scene.saPatch],
      ["diff", scene.base, scene.sa], ["diff", scene.saPatch, scene.mlpPatch], ["list"] + inStore,
      ["list", "--json"] + inStore, ["log"] + inStore, ["alias"] + inStore, ["tag"] + inStore, ["fsck"] + inStore,
      ["gc"] + inStore, ["stack", "show", "both"] + inStore, ["stack", "list"] + inStore,
      ["stack", "export", "both"] + inStore, ["stack", "diff", "both", "both"] + inStore, ["status", scene.base],
      ["score", scene.base, "--ids", "1,2,3"], ["score", scene.base, "--ids", "1,2,3", "--json"],
      ["generate", scene.base, "Hello", "--max-tokens", "3"],
      ["generate", scene.base, "Hello", "--max-tokens", "3", "--json"],
      ["train", scene.base, "--recipe", "sa-proj", "--data", folder["rows.jsonl"], "-o", folder["t"], "--dry-run"],
      ["--help"], ["help", "train"], ["--version"], ["--generate-completion-script", "bash"],
    ]
  }

  @Test("a full disk, a closed descriptor, one that is only read: an error, for all that is printed") func unwritable()
    throws
  {
    try folder.write("rows.jsonl", #"{"prompt": "The cat", "completion": " sat"}"#)
    for arguments in try looks() {
      for (redirection, words) in [
        ("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor"),
        ("1< /dev/null", "Bad file descriptor"),
      ] {
        let run = try run(arguments, redirection)
        #expect(run.code == 1, "\(arguments) \(redirection): \(run.code)")
        #expect(
          run.errors.contains("vpatch: standard output: cannot be written: \(words)")
            && !run.errors.contains("is done"),
          "\(arguments) \(redirection): \(run.errors)")
      }
    }
  }

  @Test("a reader that goes away ends it silently, with the code that shells know") func brokenPipe() throws {
    try folder.write("rows.jsonl", #"{"prompt": "The cat", "completion": " sat"}"#)
    for arguments in try looks() {
      let run = try Command.forNobody(arguments)
      #expect(run.code == SIGPIPE, "\(arguments): \(run.code)")
      #expect(!run.errors.contains("vpatch:"), "\(arguments): \(run.errors)")
    }
  }

  @Test("what was done is done: the error says that only the report is lost") func reports() throws {
    let model = try folder.directory("copy", TestModel.llama(layers: 1))
    let commands: [(made: String?, arguments: [String])] = [
      ("p.vpatch", ["create", scene.base, scene.sa, "-o", folder["p.vpatch"]]),
      ("out", ["apply", scene.base, scene.saPatch, "-o", folder["out"]]),
      ("back", ["revert", scene.sa, scene.saPatch, "-o", folder["back"]]),
      ("page.html", ["report", scene.saPatch, "-o", folder["page.html"]]),
      (nil, ["add", scene.saPatch, "--store", folder.store]),
      (nil, ["alias", "first", scene.saPatch, "--store", folder.store]),
      (nil, ["tag", scene.saPatch, "seen", "--store", folder.store]),
      (nil, ["stack", "new", "two", scene.saPatch, scene.mlpPatch, "--base", scene.base]),
      ("two.toml", ["stack", "export", "two", "-o", folder["two.toml"], "--store", folder.store]),
      (nil, ["stack", "new", "three", scene.saPatch, "--base", scene.base]),
      (nil, ["stack", "delete", "three", "--store", folder.store]), (nil, ["switch", scene.base, "two"]),
      (nil, ["recover", model]),
    ]
    for (made, arguments) in commands {
      let run = try run(arguments, "> /dev/full")
      #expect(run.code == 1, "\(arguments): \(run.errors)")
      #expect(
        run.errors.contains(
          "standard output: cannot be written: No space left on device; the command is done and only its report"
        ),
        "\(arguments): \(run.errors)")
      if let made { #expect(folder.exists(made), "\(arguments)") }
    }
    #expect(try Command("status", scene.base, "--full").output.contains("two"))
    // Nobody wanted the report: it is done, and that is no failure.
    let quiet = try Command.forNobody(["revert", scene.base])
    #expect(quiet.code == 0 && quiet.errors.isEmpty, "\(quiet.code) \(quiet.errors)")
  }

  @Test("a pipe that is full for now is waited for") func nonBlocking() throws {
    let arguments = ["diff", scene.base, scene.sa, "--json"]
    let whole = try Command(Command.path, arguments).output
    #expect(whole.utf8.count > 4096)
    // Linux' own, F_SETPIPE_SZ.
    let setPipeSize: Int32 = 1031
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0 && fcntl(ends[1], setPipeSize, 4096) == 4096)
    for end in ends {
      #expect(fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) == 0 && fcntl(end, F_SETFD, FD_CLOEXEC) == 0)
    }
    let process = Process()
    process.executableURL = URL(filePath: Command.path)
    process.arguments = arguments
    process.standardOutput = FileHandle(fileDescriptor: ends[1])
    try process.run()
    close(ends[1])
    // Its page is full before anything is read.
    usleep(300_000)
    var read = [UInt8]()
    var piece = [UInt8](repeating: 0, count: 1000)
    while true {
      let n = Glibc.read(ends[0], &piece, piece.count)
      if n == 0 { break }
      if n > 0 { read += piece[..<n] } else { usleep(1000) }
    }
    close(ends[0])
    process.waitUntilExit()
    #expect(process.terminationStatus == 0 && String(decoding: read, as: UTF8.self) == whole)
  }

  @Test("without standard descriptors, no file that is written takes their place") func closed() throws {
    let run = try run(["create", scene.base, scene.sa, "-o", folder["p.vpatch"], "--force"], "<&- >&- 2>&-")
    #expect(run.code == 1)
    #expect(try Command("verify", folder["p.vpatch"], "--base", scene.base, "--target", scene.sa).code == 0)
    #expect(try Command("fsck", "--store", folder.store).code == 0)
  }

  // MARK: Standard input

  @Test("a prompt from standard input: closed, a folder, not text, without an end") func input() throws {
    let generate = ["generate", scene.base, "-", "--max-tokens", "3"]
    for (redirection, code, words) in [
      ("<&-", Int32(1), "standard input: cannot be read: Bad file descriptor"),
      ("< /", 1, "standard input: cannot be read: Is a directory"),
      ("< <(printf '\\xff')", 2, "standard input: is not UTF-8"),
      ("< /dev/zero", 2, "standard input: has more than 16.8 MB"),
    ] {
      let run = try run(generate, redirection)
      #expect(run.code == code && run.says(words), "\(redirection): \(run.code) \(run.errors)")
    }
    let chat = ["generate", scene.base, "--max-tokens", "3"]
    #expect(try run(chat, "< /dev/zero").says("standard input: has more than 16.8 MB"))
    let two = try run(chat, "< <(printf 'one\\r\\n\\ntwo')")
    #expect(two.code == 0 && two.output.split(separator: "\n", omittingEmptySubsequences: false).count >= 3)
  }
}
