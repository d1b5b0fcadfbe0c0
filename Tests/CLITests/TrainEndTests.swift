import Base
import Foundation
import Glibc
import TestModels
import Testing

/// What was learned is not lost with a file, a pipe or a terminal that goes away.
@Suite("vpatch train, its end") struct TrainEndTests {
  let scene: TrainScene
  var folder: TestFolder { scene.folder }

  init() throws { scene = try TrainScene() }

  private func arguments(_ more: String...) -> [String] {
    TrainScene.arguments(folder) + ["--steps", "4", "--no-store"] + more
  }

  private func isWhole(_ path: String) throws -> Bool { try Command("verify", path, "--base", scene.base).code == 0 }

  /// A shell's words around the command, which is "$@".
  private func shell(_ words: String, _ arguments: [String]) throws -> Command {
    try Command("/bin/bash", ["-c", words, folder.path, Command.path] + arguments)
  }

  // MARK: Whoever looks on goes away

  @Test(
    "readers that go away, descriptors that are closed: the patch is written",
    arguments: [
      "\"$@\" | true", "\"$@\" 2>&1 | true", "\"$@\" 2>&1 | head -n 1", "\"$@\" >&- 2>&-",
      "\"$@\" > /dev/full 2>&1",
      "\"$@\" <&- >&- 2>&-", "{ \"$@\" 2>&1 >&3 | true; } 3>&1",
    ])
  func goesOn(words: String) throws {
    let run = try shell("\(words); true", arguments())
    #expect(run.code == 0)
    #expect(try isWhole(scene.patch))
    #expect(!run.errors.contains("crash"))
  }

  @Test("the exit code of a report that nobody reads is 0; of one that a full disk lost, 1") func codes() throws {
    let piped = try Command.forNobody(arguments("-o", folder["a.vpatch"], "-q", "--json"))
    #expect(piped.code == 0 && piped.errors.isEmpty, "\(piped.errors)")
    let full = try shell("\"$@\" > /dev/full", arguments("-o", folder["b.vpatch"], "-q", "--json"))
    #expect(full.code == 1 && full.says("standard output: cannot be written", "the command is done"))
  }

  // MARK: The log

  @Test("a log that cannot be written: said once, noted, and training goes on") func log() throws {
    let run = try Command(Command.path, arguments("--log", "/dev/full"))
    #expect(run.code == 0, "\(run.errors)")
    let notes = run.errors.split(separator: "\n").filter { $0.contains("/dev/full") }
    #expect(notes.count == 2 && notes[0].contains("cannot be written: No space left on device; training continues"))
    #expect(notes[1].contains("note: the log /dev/full lacks 4 steps from step 1 on: it cannot be written"))
    #expect(try isWhole(scene.patch))
    let json = try Command(Command.path, arguments("--log", "/dev/full", "--json", "--force"))
    let members = try JSON.parse(Array(json.output.utf8))["remarks"]?.array?.compactMap(\.string)
    #expect(json.errors.isEmpty && members?.count == 1 && members?[0].contains("lacks 4 steps") == true)
  }

  @Test("a log's pipe whose reader goes away") func pipe() throws {
    #expect(mkfifo(folder["pipe"], 0o600) == 0)
    // More than a pipe holds: the run waits for its reader, who goes.
    let run = try shell(
      "head -n 1 \"$0/pipe\" > \"$0/first\" & \"$@\"", arguments("--log", folder["pipe"], "--steps", "400"))
    #expect(run.code == 0 && run.errors.contains("has no reader any more; training continues"), "\(run.errors)")
    #expect(try folder.text("first").contains("\"step\":1,") && isWhole(scene.patch))
  }

  @Test("one line of a log that is lost does not spoil the next") func torn() throws {
    let log = try TestFolder()
    let environment = FaultRun.environment(log, .enospc, at: 2, of: "write")
    let run = try Command(Command.path, arguments("--log", log["log"]), environment)
    #expect(run.code == 0 && run.errors.contains("lacks 1 step from step 2 on"), "\(run.errors)")
    let steps = try log.text("log").split(separator: "\n").map { try JSON.parse(Array($0.utf8))["step"]?.int }
    #expect(steps == [1, 3, 4])
  }

  // MARK: The patch

  @Test("what cannot be written is found before the first step") func before() throws {
    for (arguments, words) in [
      (arguments("-o", "/proc/task.vpatch"), "/proc/task.vpatch: cannot be written"),
      (arguments("--resume", "/proc/state"), "/proc/state: cannot be created"),
    ] {
      let run = try Command(Command.path, arguments)
      #expect(run.code == 1 && run.errors.contains(words) && !run.errors.contains("step 1/"), "\(run.errors)")
    }
    // Room: the first reservations of a run are those before it.
    for name in ["task.vpatch", "state/training.safetensors"] {
      let calls = try FaultRun.log(in: folder, arguments("--resume", folder["state"], "--force"), "allocate,write")
      try FileManager.default.removeItem(atPath: folder["state"])
      try? FileManager.default.removeItem(atPath: scene.patch)
      let hidden = name == "task.vpatch" ? ".task.vpatch" : "state/.training.safetensors"
      let call = try #require(calls.firstIndex { $0.hasPrefix("allocate \(hidden)") })
      let run = try FaultRun.run(
        in: folder, arguments("--resume", folder["state"]), .enospc, at: call + 1, of: "allocate,write")
      #expect(
        run.code == 1 && run.errors.contains("\(name): needs ") && !run.errors.contains("step 1/"), "\(run.errors)")
      try FileManager.default.removeItem(atPath: folder["state"])
      #expect(!folder.exists("task.vpatch"))
    }
  }

  /// Runs with a temporary folder of its own, and something that happens at the first step.
  /// - Returns: where the error says that the patch is.
  private func kept(_ happens: String, _ more: String...) throws -> (path: String, run: Command) {
    try folder.write("tmp/x", "")
    #expect(mkfifo(folder["log"], 0o600) == 0)
    // The log is a pipe, which does not hold that of 300 steps: the run waits until what is to happen has happened.
    let words = "{ read -r line; \(happens); cat > /dev/null; } < \"$0/log\" & TMPDIR=\"$0/tmp\" \"$@\""
    let run = try shell(words, TrainScene.arguments(folder) + ["--steps", "400", "--log", folder["log"]] + more)
    let path = run.errors.firstMatch(of: #/the patch is saved as (\S+)\n/#)?.output.1
    return (path.map(String.init) ?? "", run)
  }

  @Test("a folder that goes away meanwhile: the patch is kept, and the error says where") func folderGone() throws {
    try folder.write("out/x", "")
    let (path, run) = try kept("mv \"$0/out\" \"$0/gone\"", "-o", folder["out/task.vpatch"], "--no-store")
    #expect(run.code == 1, "\(run.code) \(run.errors)")
    #expect(path.hasPrefix(folder["tmp/vpatch-"]) && path.hasSuffix("/task.vpatch"), "\(run.errors)")
    #expect(run.errors.contains("out/task.vpatch: cannot be written: No such file or directory; the patch is saved as"))
    #expect(try isWhole(path))
  }

  @Test("a name that is taken meanwhile: neither is lost") func nameTaken() throws {
    let (path, run) = try kept("echo mine > \"$0/task.vpatch\"", "--no-store")
    #expect(run.code == 5 && run.errors.contains("task.vpatch: already exists; the patch is saved as"), "\(run.errors)")
    #expect(try folder.text("task.vpatch") == "mine\n" && isWhole(path))
  }

  @Test("a base that is written to meanwhile is none any more; one that is moved is as it was")
  func baseChanged() throws {
    let before = try folder.bytes("model/model.safetensors")
    // The last tensor's last bytes: no recipe of this test touches it.
    let (_, run) = try kept(
      "printf '\\x01' | dd of=\"$0/model/model.safetensors\" bs=1 seek=\(before.count - 2) conv=notrunc 2> /dev/null",
      "--no-store")
    #expect(
      run.code == 1 && run.errors.contains("model.safetensors: was changed during training"),
      "\(run.errors)")
    #expect(!folder.exists("task.vpatch"))
    try folder.write("model/model.safetensors", before)
    try FileManager.default.removeItem(atPath: folder["log"])
    let (_, moved) = try kept("mv \"$0/model\" \"$0/gone\"", "--no-store", "-o", folder["b.vpatch"])
    #expect(moved.code == 0, "\(moved.errors)")
    #expect(try Command("verify", folder["b.vpatch"], "--base", folder["gone"]).code == 0)
  }

  @Test("the store keeps it first") func inStore() throws {
    try folder.write("out/x", "")
    let (_, run) = try kept("mv \"$0/out\" \"$0/gone\"", "-o", folder["out/task.vpatch"])
    let found = run.errors.firstMatch(of: #/the patch is saved in the store, as \w+: 'vpatch show (\w+)'\n/#)
    let name = try #require(found, "\(run.errors)").output.1
    #expect(run.code == 1)
    #expect(try Command("show", String(name), "--store", folder.store).output.contains("400 steps"))
  }

  @Test("--force replaces what is there, at the end and not before") func force() throws {
    try folder.write("task.vpatch", "mine")
    #expect(try Command(Command.path, arguments()).code == 5)
    #expect(try folder.text("task.vpatch") == "mine")
    #expect(try Command(Command.path, arguments("--force")).code == 0)
    #expect(try isWhole(scene.patch))
  }

  @Test("a state that can no longer be saved: said once, noted, and the patch is made") func stateGone() throws {
    let (_, run) = try kept(
      "mv \"$0/state\" \"$0/gone\"", "--resume", folder["state"], "--save-every", "100", "--no-store")
    #expect(run.code == 0, "\(run.errors)")
    #expect(run.errors.contains("could not be saved: ") && run.errors.contains("training continues"))
    #expect(run.errors.contains("note: the state could not be saved after step "), "\(run.errors)")
    #expect(run.errors.contains("300, 400: "), "\(run.errors)")
    #expect(try isWhole(scene.patch))
  }
}
