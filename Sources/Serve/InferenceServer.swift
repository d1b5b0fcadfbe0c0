import Base
import HTTP

/// A running server with vpatch inside. What it does is in `docs/serving.md` and in the package `vpatch`.
package protocol InferenceServer: Sendable {
  /// "vLLM" or "SGLang".
  var name: String { get }
  var url: String { get }

  /// Sends one request to vpatch inside the server, beside its work.
  /// - Throws: what the server reports; `refused` where vpatch is not inside; `io`.
  func ask(_ request: JSON, _ client: HTTPClient) throws -> ServerState

  /// What the server itself says beside vpatch: whether it is paused, its weight version. For a person to read.
  func facts(_ client: HTTPClient) throws -> [JSON.Member]

  /// Makes a change that `ask` has checked.
  /// - Parameters:
  ///   - expected: the reply to the check.
  ///   - isAborting: end the requests in flight; otherwise wait for them.
  ///   - willChange: called just before the weights are changed: from here on the change is not interrupted.
  /// - Returns: the state after it, and the time of the change itself.
  func change(
    _ request: SwapRequest, expected: ServerState, isAborting: Bool, _ client: HTTPClient,
    willChange: @Sendable () throws -> Void
  ) throws -> (state: ServerState, seconds: Double)
}

package enum InferenceServers {
  /// Finds out which server an address belongs to.
  /// - Parameter url: with or without a trailing `/v1`, which is where clients of OpenAI's interface are pointed to.
  /// - Throws: `refused` for another server; `io` where there is none.
  package static func find(_ url: String, _ client: HTTPClient) throws -> any InferenceServer {
    let url = base(url)
    var client = client
    client.timeout = min(client.timeout, .seconds(30))
    do {
      if try client.get(url + "/version").jsonMember("version") { return VLLMServer(url: url) }
      let info = try client.get(url + "/model_info")
      if info.jsonMember("model_path") { return SGLangServer(url: url) }
      if [401, 403].contains(info.status) || 300..<400 ~= info.status { throw info.unexpected(url, "") }
    } catch let failure as HTTPFailure {
      throw failure.error()
    }
    throw VPatchError(
      .refused, url, "is neither vLLM nor SGLang",
      remedy: "give the address of the server, such as http://127.0.0.1:8000")
  }

  private static func base(_ url: String) -> String {
    var text = url[...]
    while text.hasSuffix("/") { text = text.dropLast() }
    if text.hasSuffix("/v1") { text = text.dropLast(3) }
    while text.hasSuffix("/") { text = text.dropLast() }
    return String(text)
  }
}

extension HTTPResponse {
  /// Whether it is a success with an object that has this member.
  fileprivate func jsonMember(_ key: String) -> Bool { isSuccess && json?[key] != nil }

  /// The error of a response that no rule of the server's own explains.
  func unexpected(_ url: String, _ what: String) -> VPatchError {
    switch status {
    case 401, 403:
      VPatchError(
        .refused, url, "does not accept the key (HTTP \(status))",
        remedy: "set $VPATCH_SERVER_KEY to the key that the server was started with")
    case 300..<400:
      VPatchError(
        .refused, url, "redirects to another address (HTTP \(status)), which vpatch does not follow",
        remedy: "give the address of the server itself")
    default:
      VPatchError(.io, url, "\(what) (HTTP \(status)): \(excerpt)", remedy: "look into the server's log")
    }
  }
}
