import Base
import HTTP

/// SGLang with vpatch's plugin. The server leads: one request holds back new ones, waits for those in flight, changes the
/// weights and goes on, even if the client is gone.
package struct SGLangServer: InferenceServer {
  package let name = "SGLang"
  package let url: String

  package func ask(_ request: JSON, _ client: HTTPClient) throws -> ServerState {
    do { return try send(request, isAborting: false, client) } catch let failure as HTTPFailure {
      throw failure.error()
    }
  }

  package func facts(_ client: HTTPClient) throws -> [JSON.Member] {
    do {
      let info = try client.get("\(url)/model_info").json
      return [info?["weight_version"].map { JSON.Member("server_weight_version", $0) }].compactMap(\.self)
    } catch { throw error.error() }
  }

  package func change(
    _ request: SwapRequest, expected: ServerState, isAborting: Bool, _ client: HTTPClient,
    willChange: @Sendable () throws -> Void
  ) throws -> (state: ServerState, seconds: Double) {
    try willChange()
    var unbreakable = client
    unbreakable.isCancelled = { false }
    do {
      let state = try send(request.json, isAborting: isAborting, unbreakable)
      return (state, state.seconds)
    } catch let failure as HTTPFailure {
      throw failure.kind == .timeout ? mayStillHappen(failure, client) : failure.error()
    }
  }

  private func send(_ request: JSON, isAborting: Bool, _ client: HTTPClient) throws -> ServerState {
    // SGLang takes no other text than this member, and expects base64 in it.
    let body = JSON.dictionary([
      "serialized_named_tensors": .array([.string(Array(request.compact().utf8).base64)]),
      "load_format": .string("vpatch"), "abort_all_requests": .bool(isAborting),
    ])
    let response = try client.post("\(url)/update_weights_from_tensor", body)
    if [401, 403].contains(response.status) || 300..<400 ~= response.status {
      throw response.unexpected(url, "")
    }
    guard let message = response.json?["message"]?.string, let reply = try? JSON.parse(Array(message.utf8)) else {
      throw VPatchError(
        .refused, url, "has no vpatch in its environment",
        remedy: "install the wheel of vpatch there (pip install), and start the server again")
    }
    return try ServerState(reply, url)
  }
}
