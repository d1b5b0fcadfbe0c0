import Base
import HTTP
import Synchronization

/// vLLM with `vpatch.vllm.Extension`. The client leads: it pauses the server, and resumes it whatever happens.
package struct VLLMServer: InferenceServer {
  package let name = "vLLM"
  package let url: String

  private static let start =
    "start it as docs/serving.md says: VLLM_SERVER_DEV_MODE=1, --worker-extension-cls "
    + "vpatch.vllm.Extension and --weight-transfer-config '{\"backend\": \"vpatch\"}'"

  package func ask(_ request: JSON, _ client: HTTPClient) throws -> ServerState {
    let response = try post(
      "collective_rpc", .dictionary(["method": .string("vpatch"), "args": .array([request])]), client)
    guard response.isSuccess else {
      if response.status == 404 {
        throw VPatchError(.refused, url, "was started without VLLM_SERVER_DEV_MODE=1", remedy: Self.start)
      }
      let text = response.excerpt
      if ["'vpatch'", "not implemented", "has no attribute"].contains(where: text.contains) {
        throw VPatchError(.refused, url, "was started without vpatch's worker extension", remedy: Self.start)
      }
      throw response.unexpected(url, "cannot be asked")
    }
    // Several results are of several workers, each of which refuses to work with others.
    guard let result = response.json?["results"]?.array?.first else { throw ServerError.unknownReply(url) }
    return try ServerState(result, url)
  }

  package func facts(_ client: HTTPClient) throws -> [JSON.Member] {
    let (paused, info) = (try get("is_paused", client), try get("weight_info", client))
    return [
      paused.json?["is_paused"].map { JSON.Member("paused", $0) },
      info.json?["weight_version"].map { JSON.Member("server_weight_version", $0) },
    ].compactMap(\.self)
  }

  package func change(
    _ request: SwapRequest, expected: ServerState, isAborting: Bool, _ client: HTTPClient,
    willChange: @Sendable () throws -> Void
  ) throws -> (state: ServerState, seconds: Double) {
    if expected.isSessionOpen { try closeSession(client) }
    // Once it has begun, the rest must run to its end, also after Ctrl-C.
    var unbreakable = client
    unbreakable.isCancelled = { false }
    let changed: (state: ServerState, seconds: Double)
    do {
      try pause(isAborting, client)
      try willChange()
      changed = try update(request, expected, unbreakable)
    } catch let error as VPatchError where error.isMixedModel || error.cause is OtherClient {
      throw error
    } catch {
      let error = error as? VPatchError ?? VPatchError(.io, url, "\(error)")
      do { try resume(unbreakable) } catch let other as VPatchError {
        throw error.advising(
          "\(error.remedy.map { $0 + "; " } ?? "")the server is still paused (\(other.reason)): \(resumeRemedy)")
      }
      guard let failure = error.cause as? HTTPFailure, failure.kind == .cancelled else { throw error }
      throw VPatchError.interruptedSwap(url)
    }
    do { try resume(unbreakable) } catch let error as VPatchError {
      throw VPatchError(
        error.code, url, "has the new weights and is still paused: \(error.reason)", remedy: resumeRemedy)
    }
    return ((try? ask(SwapRequest.status(.none), unbreakable)) ?? changed.state, changed.seconds)
  }

  private var resumeRemedy: String { "resume it: curl -X POST \(url)/resume" }

  /// Another client is changing the weights, and will resume the server.
  private struct OtherClient: Error {}

  // MARK: Steps

  /// Finishes a weight update that a client which is gone had started.
  private func closeSession(_ client: HTTPClient) throws {
    let version = try ask(SwapRequest.status(.none), client).weightVersion
    try require(
      post("finish_weight_update", .dictionary(["weight_version": version.map { .string($0) }]), client),
      "has a weight update that was not finished, and cannot finish it")
  }

  private func pause(_ isAborting: Bool, _ client: HTTPClient) throws {
    do {
      let response = try client.post("\(url)/pause?mode=\(isAborting ? "abort" : "wait")")
      try require(response, "cannot be paused")
    } catch let failure as HTTPFailure where failure.kind == .timeout {
      throw VPatchError(
        .io, url, "still had requests running after \(client.timeout.text)",
        remedy: "--abort ends them, --timeout waits longer", cause: failure)
    } catch let failure as HTTPFailure {
      throw failure.error()
    }
  }

  private func update(
    _ request: SwapRequest, _ expected: ServerState, _ client: HTTPClient
  ) throws -> (ServerState, seconds: Double) {
    let start = try post("start_weight_update", nil, client)
    guard start.isSuccess || !start.excerpt.contains("already active") else {
      throw VPatchError(
        .refused, url, "is being changed by another client, which will resume it", remedy: "try again",
        cause: OtherClient())
    }
    try require(start, "cannot start a weight update")
    let clock = ContinuousClock.now
    let updated: HTTPResponse
    do {
      updated = try client.post("\(url)/update_weights", .dictionary(["update_info": request.json]))
    } catch let failure where failure.kind == .timeout {
      throw mayStillHappen(failure, client)
    } catch { throw error.error() }
    let seconds = clock.seconds
    // vLLM removes paths from the message, so vpatch inside is asked for its own.
    let state = try ask(SwapRequest.status(.none), client)
    guard updated.isSuccess else {
      throw state.lastError?.error(url) ?? updated.unexpected(url, "did not change its weights")
    }
    try require(
      post(
        "finish_weight_update", .dictionary(["weight_version": expected.weightVersion.map { .string($0) }]), client),
      "has the new weights, but not their version")
    return (state, seconds)
  }

  private func resume(_ client: HTTPClient) throws {
    try require(post("resume", nil, client), "cannot be resumed")
  }

  private func require(_ response: HTTPResponse, _ what: String) throws {
    if !response.isSuccess { throw response.unexpected(url, what) }
  }

  private func post(_ path: String, _ json: JSON?, _ client: HTTPClient) throws -> HTTPResponse {
    do { return try client.post("\(url)/\(path)", json) } catch { throw error.error() }
  }

  private func get(_ path: String, _ client: HTTPClient) throws -> HTTPResponse {
    do { return try client.get("\(url)/\(path)") } catch { throw error.error() }
  }
}

extension InferenceServer {
  func mayStillHappen(_ failure: HTTPFailure, _ client: HTTPClient) -> VPatchError {
    VPatchError(
      .io, url, "did not reply within \(client.timeout.text), and may still make the change",
      remedy: "ask with: vpatch serve-swap \(url) --status", cause: failure)
  }
}

extension Duration {
  /// "600 s"
  var text: String { "\(components.seconds) s" }
}
