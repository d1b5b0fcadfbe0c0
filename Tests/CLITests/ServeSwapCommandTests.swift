import Base
import Foundation
import PatchFormat
import Synchronization
import TestModels
import Testing

/// `vpatch serve-swap` against a server that only plays one (TestModels/FakeVLLM.swift).
@Suite("serve-swap, the command") struct ServeSwapCommandTests {
  let folder: TestFolder
  let patch: String
  let identity: String

  init() throws {
    folder = try TestFolder()
    let base = TestModel.llama(layers: 1)
    try folder.file("base.safetensors", base)
    try folder.file("tuned.safetensors", base.tuned("q_proj"))
    patch = folder["task.vpatch"]
    let created = try Command(
      Command.path,
      ["create", folder["base.safetensors"], folder["tuned.safetensors"], "-o", patch, "--no-store"])
    #expect(created.code == 0, "\(created.errors)")
    identity = try Patch(path: patch).identity.hex
  }

  private func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Command {
    try Command(Command.path, ["serve-swap"] + arguments, environment)
  }

  @Test("in, status, out: what is reported") func story() throws {
    let server = try FakeVLLM()
    let swapped = try run([server.url, "counting", "--json"])
    #expect(swapped.code == 0, "\(swapped.errors)")
    let json = try JSON.parse(Array(swapped.output.utf8))
    #expect(json["weight_version"] == .string(FakeVLLM.identity("counting")))
    #expect(json["server_weight_version"] == json["weight_version"] && json["paused"] == .bool(false))
    let status = try run([server.url, "--status"])
    for line in ["server    vLLM at \(server.url)", "model     /models/tiny", "counting  120 tensors", "verified  "] {
      #expect(status.output.contains(line), "\(status.output)")
    }
    let out = try run([server.url, "--revert"])
    #expect(out.code == 0 && out.output.contains("patches   none: the weights are the base's"), "\(out.output)")
    #expect(out.output.hasPrefix("changed   in 0."), "\(out.output)")
  }

  @Test("a patch file is checked before the server is asked for anything") func damaged() throws {
    let server = try FakeVLLM()
    var bytes = try folder.bytes("task.vpatch")
    bytes[bytes.count / 2] ^= 1
    try folder.write("bad.vpatch", bytes)
    let refused = try run([server.url, folder["bad.vpatch"]])
    #expect(refused.code == 2 && refused.errors.contains("bad.vpatch"), "\(refused.errors)")
    try folder.write("cut.vpatch", Array(bytes.prefix(bytes.count / 2)))
    #expect(try run([server.url, folder["cut.vpatch"]]).code == 2)
    #expect(try run([server.url, folder.path]).code != 0)
    #expect(server.requests.isEmpty)
    // The server has another patch at that path: the fake one names patches by their paths.
    let other = try run([server.url, patch])
    #expect(other.code == 5 && other.errors.contains("another patch"), "\(other.errors)")
    let check = try JSON.parse(server.requests[1].body)["args"]?.array?.first
    #expect(check?["patch"] == .string(patch))
    #expect(!server.now.steps.contains { $0.hasPrefix("pause") })
  }

  @Test("the key of the environment is sent; no server, another server, a wrong command line") func others() throws {
    let server = try FakeVLLM()
    #expect(try run([server.url, "--status"], environment: ["VPATCH_SERVER_KEY": "k-1"]).code == 0)
    #expect(server.requests.allSatisfy { $0.headers["authorization"] == "Bearer k-1" })
    let page = try FakeServer { _ in .reply(200, "<html>") }
    let wrong = try run([page.url, "--status"])
    #expect(wrong.code == 5 && wrong.errors.contains("neither vLLM nor SGLang"), "\(wrong.errors)")
    page.stop()
    let gone = try run([page.url, "--status"])
    #expect(gone.code == 1 && gone.errors.contains("cannot be reached"), "\(gone.errors)")
    for arguments in [
      [], ["p", "--status"], ["--status", "--revert"], ["--all"], ["p", "--all", "--revert"], ["p", "--timeout", "0"],
    ] {
      #expect(try run([server.url] + arguments).code == 64)
    }
  }

  @Test("a signal while requests are waited for: resumed, nothing changed", arguments: [SIGINT, SIGTERM, SIGHUP])
  func interrupted(signal: Int32) throws {
    let isPausing = DispatchSemaphore(value: 0)
    let server = try FakeVLLM(answers: ["pause?mode=wait": .silence]) { step in
      if step == "pause?mode=wait" { isPausing.signal() }
    }
    let started = try Command.start(Command.path, ["serve-swap", server.url, "counting"])
    #expect(isPausing.wait(timeout: .now() + 60) == .success)
    kill(started.process.processIdentifier, signal)
    let ended = try Command(ending: started)
    #expect(ended.code == 128 + signal, "\(ended.errors)")
    #expect(ended.errors.contains("goes on with the weights that it had"), "\(ended.errors)")
    #expect(server.now.steps.last == "resume" && server.now.applied.isEmpty && !server.now.isPaused)
  }

  @Test("a signal once the change has begun: it is finished, and said so") func tooLate() throws {
    let pid = Mutex<Int32?>(nil)
    let isStarted = DispatchSemaphore(value: 0)
    let server = try FakeVLLM { step in
      guard step == "update_weights" else { return }
      _ = isStarted.wait(timeout: .now() + 60)
      pid.withLock { _ = kill($0!, SIGINT) }
      // The command must read the signal before the reply.
      Thread.sleep(forTimeInterval: 0.3)
    }
    let started = try Command.start(Command.path, ["serve-swap", server.url, "counting"])
    pid.withLock { $0 = started.process.processIdentifier }
    isStarted.signal()
    let ended = try Command(ending: started)
    #expect(ended.code == 0 && ended.errors.contains("is being finished"), "\(ended.errors)")
    #expect(server.now.applied == ["counting"] && !server.now.isPaused)
    #expect(server.now.weightVersion == FakeVLLM.identity("counting"))
  }
}
