import Base
import HTTP
import PatchFormat
import Synchronization
import TestModels
import Testing

@testable import Serve

@Suite("serve-swap: vLLM") struct VLLMTests {
  private func swap(_ server: FakeVLLM, timeout: Duration = .seconds(20)) throws -> ServerSwap {
    var client = try HTTPClient()
    client.timeout = timeout
    return try ServerSwap(server.url, client)
  }

  private static let apply = SwapRequest(.apply("/p/task.vpatch", replacing: false))
  /// The steps of a whole change, after the server was found.
  private static let steps = [
    "version", "check", "pause?mode=wait", "start_weight_update", "update_weights", "status", "finish_weight_update",
    "resume", "status", "is_paused", "weight_info",
  ]

  @Test("a patch goes in and out: every step in its order, nothing else") func wholeChange() throws {
    let server = try FakeVLLM()
    let result = try swap(server).change(Self.apply)
    #expect(server.now.steps == Self.steps)
    #expect(result.state.applied.map(\.identity) == [FakeVLLM.identity("/p/task.vpatch")])
    #expect(server.now.weightVersion == FakeVLLM.identity("/p/task.vpatch") && !server.now.isPaused)
    #expect(result.seconds >= result.changeSeconds && result.changeSeconds > 0)
    let update = try JSON.parse(server.requests.first { $0.path == "/update_weights" }!.body)
    #expect(
      update.compact()
        == #"{"update_info":{"action":"apply","patch":"/p/task.vpatch","full":false,"replace":false}}"#)
    let check = try JSON.parse(server.requests[1].body)
    #expect(
      check.compact()
        == #"{"method":"vpatch","args":[{"action":"check","patch":"/p/task.vpatch","full":false,"replace":false,"#
        + #""of":"apply"}]}"#)

    let out = try swap(server).change(SwapRequest(.revert), isAborting: true)
    #expect(out.state.applied.isEmpty && server.now.weightVersion == FakeVLLM.identity("base"))
    #expect(server.now.steps.contains("pause?mode=abort") && !server.now.isPaused)
  }

  @Test(
    "what a request says",
    arguments: [
      (
        SwapRequest(.apply("p", replacing: true), full: true),
        #"{"action":"apply","patch":"p","full":true,"replace":true}"#
      ),
      (SwapRequest(.revert), #"{"action":"revert","all":false}"#),
      (SwapRequest(.revertAll), #"{"action":"revert","all":true}"#),
    ])
  func request(request: SwapRequest, text: String) {
    #expect(request.json.compact() == text)
    #expect(request.check["action"] == .string("check") && request.check["of"] == request.json["action"])
  }

  @Test("status: no step that changes anything") func status() throws {
    let server = try FakeVLLM(FakeVLLM.State(applied: ["a", "b"], isPaused: true))
    let result = try swap(server).status(.all)
    #expect(server.now.steps == ["version", "status", "is_paused", "weight_info"])
    #expect(result.state.applied.map(\.name) == ["a", "b"] && result.facts.first?.value == .bool(true))
    #expect(
      try JSON.parse(server.requests[1].body)["args"]?.array?[0].compact() == #"{"action":"status","verify":"all"}"#)
  }

  @Test("an update that a dead client left open is finished first, with the version that is in") func openSession()
    throws
  {
    let server = try FakeVLLM(FakeVLLM.State(applied: ["old"], isSessionOpen: true, weightVersion: "stale"))
    _ = try swap(server).change(SwapRequest(.revertAll))
    #expect(
      Array(server.now.steps.prefix(5)) == ["version", "check", "status", "finish_weight_update", "pause?mode=wait"])
    let finish = try JSON.parse(server.requests[3].body)
    #expect(finish["weight_version"] == .string(FakeVLLM.identity("old")))
    #expect(!server.now.isSessionOpen && !server.now.isPaused)
  }

  /// Expects an error. The server must not be left paused.
  private func refused(
    _ server: FakeVLLM, _ code: VPatchError.Code, _ words: String..., timeout: Duration = .seconds(20),
    identity: ContentDigest? = nil, isResumed: Bool = true, at line: SourceLocation = #_sourceLocation
  ) throws {
    let swap = try swap(server, timeout: timeout)
    let error = try #require(throws: VPatchError.self, sourceLocation: line) {
      try swap.change(Self.apply, identity: identity)
    }
    #expect(error.code == code, "\(error)", sourceLocation: line)
    for word in words { #expect(error.description.contains(word), "\(error)", sourceLocation: line) }
    #expect(server.now.isPaused == !isResumed, sourceLocation: line)
  }

  @Test(
    "what the check finds stops everything: the server is not paused",
    arguments: [
      ("io", VPatchError.Code.io), ("invalid-file", .invalid), ("wrong-base", .wrongBase), ("mismatch", .mismatch),
      ("refused", .refused), ("misuse", .refused), ("internal", .io), ("later-kind", .io),
    ])
  func check(kind: String, code: VPatchError.Code) throws {
    let server = try FakeVLLM(failures: ["check": (kind, "task.vpatch is not right; do this")])
    try refused(server, code, "task.vpatch is not right; do this")
    #expect(server.now.steps == ["version", "check"])
  }

  @Test(
    "a server that was started in another way",
    arguments: [
      (FakeServer.Answer.reply(404, "{\"detail\":\"Not Found\"}"), "VLLM_SERVER_DEV_MODE=1"),
      (.reply(500, "'Worker' object has no attribute 'vpatch'"), "worker extension"),
      (.reply(500, "Method 'vpatch' is not implemented"), "worker extension"),
      (.reply(401, "no"), "VPATCH_SERVER_KEY"), (.reply(302, ""), "redirects"), (.reply(503, "busy"), "HTTP 503"),
      (.reply(200, "{}"), "same version of vpatch"), (.reply(200, "{\"results\": [3]}"), "same version of vpatch"),
      (.reply(200, "{\"results\": [{\"ok\": false}]}"), "see its log"), (.hangUp, "broke the connection"),
    ])
  func start(answer: FakeServer.Answer, word: String) throws {
    let server = try FakeVLLM(answers: ["collective_rpc": answer])
    let swap = try swap(server)
    for work in [{ _ = try swap.change(Self.apply) }, { _ = try swap.status(.none) }] {
      let error = try #require(throws: VPatchError.self) { try work() }
      #expect(error.description.contains(word) && error.remedy != nil || word == "see its log", "\(error)")
    }
    #expect(!server.now.steps.contains { $0.hasPrefix("pause") })
  }

  @Test(
    "a step fails: the server is resumed",
    arguments: [
      "pause?mode=wait", "start_weight_update", "finish_weight_update",
    ])
  func stepFails(step: String) throws {
    let server = try FakeVLLM(answers: [step: .reply(500, "out of order")])
    try refused(server, .io, "out of order", "HTTP 500")
    #expect(server.now.steps.last == "resume")
    let broken = try FakeVLLM(answers: [step: .hangUp])
    try refused(broken, .io, "broke the connection")
    #expect(broken.now.steps.last == "resume")
  }

  @Test("requests that do not end in time: resumed, with the way out") func pauseTimeout() throws {
    let server = try FakeVLLM(answers: ["pause?mode=wait": .silence])
    try refused(server, .io, "still had requests running after 1 s", "--abort", timeout: .seconds(1))
    #expect(server.now.steps.last == "resume")
  }

  @Test("a change that the server took back: its own words, and resumed") func takenBack() throws {
    let server = try FakeVLLM(failures: ["update": ("mismatch", "the result is not what task.vpatch records")])
    try refused(server, .mismatch, "is not what task.vpatch records")
    #expect(Array(server.now.steps.suffix(3)) == ["update_weights", "status", "resume"])
  }

  @Test("weights of two models: not resumed") func mixed() throws {
    let server = try FakeVLLM(failures: ["update": ("mixed-model", "the weights are mixed; restart the server")])
    try refused(server, .mismatch, "restart the server", isResumed: false)
    #expect(!server.now.steps.contains("resume"))
  }

  @Test("no reply to the change: resumed, and it is said that it may still happen") func updateTimeout() throws {
    let server = try FakeVLLM(answers: ["update_weights": .silence])
    try refused(server, .io, "may still make the change", "--status", timeout: .seconds(1))
    #expect(server.now.steps.last == "resume")
  }

  @Test("another client's change is not disturbed") func otherClient() throws {
    let server = try FakeVLLM(
      answers: ["start_weight_update": .reply(500, "a weight update is already active")])
    try refused(server, .refused, "another client", "try again", isResumed: false)
    #expect(!server.now.steps.contains("resume"))
  }

  @Test("a server that cannot be resumed: the command that does it is named") func resumeFails() throws {
    let server = try FakeVLLM(answers: ["resume": .reply(500, "no")])
    try refused(
      server, .io, "has the new weights and is still paused", "curl -X POST \(server.url)/resume", isResumed: false)
    let both = try FakeVLLM(
      answers: ["resume": .reply(500, "no")], failures: ["update": ("mismatch", "was taken back")])
    try refused(both, .mismatch, "was taken back", "still paused", "curl -X POST \(both.url)/resume", isResumed: false)
  }

  @Test("a server that dies in the change") func dies() throws {
    let died = Mutex<FakeVLLM?>(nil)
    let server = try FakeVLLM(answers: ["update_weights": .hangUp]) { step in
      if step == "update_weights" { died.withLock { $0?.stop() } }
    }
    died.withLock { $0 = server }
    defer { died.withLock { $0 = nil } }
    try refused(server, .io, "broke the connection", "still paused", isResumed: false)
  }

  @Test("the server has another patch at that path: refused before it is paused") func otherPatch() throws {
    let server = try FakeVLLM()
    try refused(server, .refused, "another patch", "copy the patch", identity: SHA256Hasher.hash("mine"))
    #expect(server.now.steps == ["version", "check"])
    let same = ContentDigest(hex: FakeVLLM.identity("/p/task.vpatch"))
    #expect(try swap(server).change(Self.apply, identity: same).state.applied.count == 1)
  }

  @Test("interrupted before the change: resumed, and the weights are the old ones") func interrupted() throws {
    let server = try FakeVLLM()
    let swap = try swap(server)
    let error = try #require(throws: VPatchError.self) {
      try swap.change(Self.apply) { throw VPatchError.interruptedSwap(swap.server.url) }
    }
    #expect(error == VPatchError.interruptedSwap(server.url))
    #expect(server.now.applied.isEmpty && !server.now.isPaused && server.now.steps.last == "resume")
  }
}
