import Base
import Foundation
import HTTP
import TestModels
import Testing

@testable import Serve

@Suite("serve-swap: SGLang, and finding the server") struct SGLangTests {
  private func client(_ timeout: Duration = .seconds(20), key: String? = nil) throws -> HTTPClient {
    var client = try HTTPClient(key: key)
    client.timeout = timeout
    return client
  }

  /// SGLang whose plugin gives this answer to the request inside.
  private func server(_ answer: @escaping @Sendable (JSON) -> FakeServer.Answer) throws -> FakeServer {
    try FakeServer { request in
      switch request.path {
      case "/model_info": return .reply(200, #"{"model_path": "/models/tiny", "weight_version": "w"}"#)
      case "/update_weights_from_tensor":
        let text = (try? JSON.parse(request.body))?["serialized_named_tensors"]?.array?.first?.string ?? ""
        return answer((try? JSON.parse(Array(Data(base64Encoded: text) ?? Data()))) ?? .null)
      default: return .reply(404, "")
      }
    }
  }

  private static func message(_ text: String, status: Int = 200) -> FakeServer.Answer {
    .reply(
      status,
      JSON.dictionary(["success": .bool(status == 200), "message": .string(text)]).compact())
  }

  @Test("a patch goes in: a check and one request") func apply() throws {
    let server = try server { request in
      let isApplied = request["action"] != .string("status")
      return Self.message(FakeVLLM.reply(FakeVLLM.State(applied: isApplied ? ["p"] : [])).compact())
    }
    let swap = try ServerSwap(server.url + "/v1/", client(key: "k"))
    #expect(swap.server.name == "SGLang" && swap.server.url == server.url)
    let result = try swap.change(SwapRequest(.apply("p", replacing: false)), isAborting: true)
    #expect(result.state.applied.count == 1 && result.changeSeconds == 0.31)
    #expect(result.facts.first { $0.key == "server_weight_version" }?.value == .string("w"))
    let posts = try server.requests.filter { $0.method == "POST" }.map { try JSON.parse($0.body) }
    #expect(posts.map { $0["load_format"] } == [.string("vpatch"), .string("vpatch")])
    #expect(posts.map { $0["abort_all_requests"] } == [.bool(false), .bool(true)])
    #expect(server.requests.allSatisfy { $0.headers["authorization"] == "Bearer k" })
    #expect(try swap.status(.touched).state.applied.isEmpty)
  }

  @Test(
    "failures, with what to do",
    arguments: [
      (message(#"{"ok": false, "error": {"kind": "wrong-base", "message": "other bits"}}"#, status: 400), "other bits"),
      (message("update_weights_from_tensor must run between begin and end", status: 400), "pip install"),
      (.reply(500, "Internal Server Error"), "pip install"), (.reply(403, ""), "VPATCH_SERVER_KEY"),
      (.hangUp, "broke the connection"), (message("{}"), "same version"),
    ] as [(FakeServer.Answer, String)])
  func failure(answer: FakeServer.Answer, word: String) throws {
    let server = try server { _ in answer }
    let swap = try ServerSwap(server.url, client())
    let error = try #require(throws: VPatchError.self) { try swap.change(SwapRequest(.revert)) }
    #expect(error.description.contains(word), "\(error)")
  }

  @Test("no reply in time: the change may still happen") func timeout() throws {
    let server = try server { request in
      request["action"] == .string("check") ? Self.message(FakeVLLM.reply(FakeVLLM.State()).compact()) : .silence
    }
    let swap = try ServerSwap(server.url, client(.seconds(1)))
    let error = try #require(throws: VPatchError.self) { try swap.change(SwapRequest(.revert)) }
    #expect(error.reason.contains("may still make the change"), "\(error)")
    #expect(error.remedy == "ask with: vpatch serve-swap \(server.url) --status")
  }

  @Test(
    "what is no server of these is refused",
    arguments: [
      (FakeServer.Answer.reply(200, "<html>"), "neither vLLM nor SGLang"), (.reply(404, ""), "neither vLLM nor SGLang"),
      (.reply(401, ""), "VPATCH_SERVER_KEY"), (.reply(301, ""), "redirects"), (.hangUp, "broke the connection"),
    ])
  func noServer(answer: FakeServer.Answer, word: String) throws {
    let server = try FakeServer { _ in answer }
    let error = try #require(throws: VPatchError.self) { try ServerSwap(server.url, client()) }
    #expect(error.description.contains(word) && error.remedy != nil, "\(error)")
  }

  @Test("base64 of every length", arguments: 0..<70) func base64(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 89 + 3) }
    #expect(bytes.base64 == Data(bytes).base64EncodedString())
  }
}
