import Base
import Foundation
import Synchronization

/// vLLM with vpatch inside, as far as its HTTP interface goes. It has no weights: patches are names.
package final class FakeVLLM: Sendable {
  package struct State: Sendable {
    package var applied: [String]
    package var isPaused: Bool
    package var isSessionOpen: Bool
    package var weightVersion: String?
    package var lastError: JSON?
    /// The steps in their order: a path with its query, or what vpatch inside was asked for.
    package var steps: [String] = []

    package init(
      applied: [String] = [], isPaused: Bool = false, isSessionOpen: Bool = false, weightVersion: String? = "default"
    ) {
      (self.applied, self.isPaused, self.isSessionOpen) = (applied, isPaused, isSessionOpen)
      self.weightVersion = weightVersion
    }
  }

  private let state = Mutex(State())
  private let server = Mutex<FakeServer?>(nil)
  /// Answers in place of the usual ones, by step.
  private let answers: [String: FakeServer.Answer]
  /// What vpatch inside reports as its failure, by action.
  private let failures: [String: (kind: String, message: String)]
  /// Called before a step is answered.
  private let onStep: @Sendable (String) -> Void

  package var url: String { server.withLock { $0!.url } }
  package var now: State { state.withLock { $0 } }
  package var requests: [FakeServer.Request] { server.withLock { $0!.requests } }
  package func stop() { server.withLock { $0!.stop() } }

  package init(
    _ start: State = State(), answers: [String: FakeServer.Answer] = [:],
    failures: [String: (kind: String, message: String)] = [:],
    onStep: @escaping @Sendable (String) -> Void = { _ in }
  ) throws {
    (self.answers, self.failures, self.onStep) = (answers, failures, onStep)
    state.withLock { $0 = start }
    let server = try FakeServer { [unowned self] in self.answer($0) }
    self.server.withLock { $0 = server }
  }

  private func answer(_ request: FakeServer.Request) -> FakeServer.Answer {
    let body = (try? JSON.parse(request.body)) ?? .null
    var step = String(request.path.dropFirst())
    let isRPC = step == "collective_rpc"
    let inside = body["args"]?.array?.first ?? .null
    if isRPC { step = inside["action"]?.string ?? "?" }
    state.withLock { $0.steps.append(step) }
    onStep(step)
    if let answer = answers[step] ?? (isRPC ? answers["collective_rpc"] : nil) { return answer }
    return state.withLock { state in
      switch step {
      case "version": return .reply(200, "{\"version\": \"0.32.0\"}")
      case "is_paused": return .reply(200, "{\"is_paused\": \(state.isPaused)}")
      case "weight_info": return .reply(200, "{\"weight_version\": \"\(state.weightVersion ?? "default")\"}")
      case "pause?mode=wait", "pause?mode=abort": state.isPaused = true
      case "resume": state.isPaused = false
      case "start_weight_update": state.isSessionOpen = true
      case "finish_weight_update":
        state.isSessionOpen = false
        if let version = body["weight_version"]?.string { state.weightVersion = version }
      case "update_weights":
        let request = body["update_info"] ?? .null
        if let failure = failures["update"] {
          state.isSessionOpen = false
          state.lastError = Self.error(failure)
          return .reply(400, "{\"error\": {\"message\": \"Weight update failed: <path>\"}}")
        }
        Self.change(&state.applied, request)
        state.lastError = nil
      case "status": return .reply(200, "{\"results\": [\(Self.reply(state, failures["status"]).compact())]}")
      case "check":
        var after = state
        Self.change(&after.applied, inside.setting("action", to: inside["of"]))
        let reply = Self.reply(after, failures["check"]).setting("session_open", to: .bool(state.isSessionOpen))
        return .reply(200, "{\"results\": [\(reply.compact())]}")
      default: return .reply(404, "{\"detail\": \"Not Found\"}")
      }
      return .reply(200, "{\"message\": \"done\"}")
    }
  }

  /// A name of 64 digits for a patch: its identity.
  package static func identity(_ patch: String) -> String { SHA256Hasher.hash(patch).hex }

  private static func change(_ applied: inout [String], _ request: JSON) {
    if request["action"]?.string == "apply" {
      if request["replace"]?.bool == true { applied = [] }
      applied.append(request["patch"]?.string ?? "?")
    } else if request["all"]?.bool == true {
      applied = []
    } else {
      _ = applied.popLast()
    }
  }

  /// The reply of vpatch inside.
  package static func reply(_ state: State, _ failure: (kind: String, message: String)? = nil) -> JSON {
    let base = identity("base")
    let all = JSON.dictionary([
      "ok": .bool(failure == nil), "error": failure.map(error), "server": .string("vllm"), "vpatch": .string("0.1.0"),
      "model": .string("/models/tiny"), "ready": .bool(true), "reason": .null, "base": .string(base),
      "root": .string(state.applied.last.map { identity("root of \($0)") } ?? base),
      "applied": .array(
        state.applied.map {
          .dictionary([
            "identity": .string(identity($0)), "name": .string(Path.name($0)), "path": .string($0),
            "base": .string(base), "target": .string(identity("root of \($0)")), "touched": JSON(120),
          ])
        }),
      "weight_version": .string(state.applied.last.map(identity) ?? base), "verified": .string("touched"),
      "session_open": .bool(state.isSessionOpen), "seconds": JSON(0.31), "last_error": state.lastError ?? .null,
    ])
    return all
  }

  private static func error(_ failure: (kind: String, message: String)) -> JSON {
    .dictionary(["kind": .string(failure.kind), "message": .string(failure.message)])
  }
}
