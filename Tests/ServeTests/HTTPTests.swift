import Base
import Foundation
import HTTP
import TestModels
import Testing

@Suite("HTTP by libcurl") struct HTTPTests {
  private func client(_ change: (inout HTTPClient) -> Void = { _ in }) throws -> HTTPClient {
    var client = try HTTPClient()
    client.timeout = .seconds(20)
    change(&client)
    return client
  }

  @Test("GET and POST: method, path, body, headers, status") func requests() throws {
    let server = try FakeServer { .reply($0.path == "/none" ? 404 : 201, "{\"path\": \"\($0.path)\"}") }
    var client = try HTTPClient(key: "secret-1")
    client.timeout = .seconds(20)
    let got = try client.get("\(server.url)/a?b=c")
    #expect(got.status == 201 && got.isSuccess && got.json?["path"] == .string("/a?b=c"))
    let posted = try client.post("\(server.url)/none", .dictionary(["é": .string("\u{1F600}")]))
    #expect(posted.status == 404 && !posted.isSuccess)
    #expect(try client.post("\(server.url)/empty").status == 201)
    let requests = server.requests
    #expect(requests.map(\.method) == ["GET", "POST", "POST"])
    #expect(requests.allSatisfy { $0.headers["authorization"] == "Bearer secret-1" })
    #expect(try JSON.parse(requests[1].body)["é"] == .string("\u{1F600}"))
    #expect(requests[1].headers["content-type"] == "application/json" && requests[1].headers["expect"] == nil)
    #expect(requests[2].body.isEmpty && requests[2].headers["content-length"] == "0")
    #expect(requests[0].headers["user-agent"]?.hasPrefix("vpatch/") == true)
  }

  @Test("a body of some megabytes arrives whole, and one in reply") func large() throws {
    let server = try FakeServer { .reply(200, "\"\(String(repeating: "x", count: $0.body.count))\"") }
    let text = String(repeating: "y", count: 3 << 20)
    let response = try client().post(server.url, .string(text))
    #expect(server.requests[0].body.count == text.count + 2 && response.body.count == text.count + 4)
  }

  @Test("redirections are not followed, so a key goes nowhere else") func redirection() throws {
    let other = try FakeServer { _ in .reply(200, "{}") }
    let server = try FakeServer { _ in .reply(307, "", headers: ["Location: \(other.url)/"]) }
    #expect(try client().get(server.url).status == 307)
    #expect(other.requests.isEmpty)
  }

  private func failure(_ url: String, _ client: HTTPClient) throws -> HTTPFailure {
    try #require(throws: HTTPFailure.self) { try client.get(url) }
  }

  @Test("what goes wrong is told apart") func failures() throws {
    let closed = try FakeServer { _ in .hangUp }
    #expect(try failure(closed.url, client()).kind == .broken)
    let silent = try FakeServer { _ in .silence }
    #expect(try failure(silent.url, client { $0.timeout = .milliseconds(300) }).kind == .timeout)
    #expect(try failure(silent.url, client { $0.isCancelled = { true } }).kind == .cancelled)
    let endless = try FakeServer { _ in .reply(200, String(repeating: " ", count: 3 << 20)) }
    let large = try failure(endless.url, client { $0.maximumResponse = 1 << 20 })
    #expect(large.kind == .tooLarge && large.reason.contains("1.05 MB"), "\(large)")
    // A server without TLS.
    let plain = try failure(closed.url.replacing("http:", with: "https:"), client()).kind
    #expect([.untrusted, .broken, .timeout].contains(plain))
    closed.stop()
    let gone = try failure(closed.url, client())
    #expect(gone.kind == .unreachable && gone.error().remedy?.contains("that the server runs") == true, "\(gone)")
    for url in ["file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:x", "http://[", "nothing\u{0}", ""] {
      let failure = try failure(url, client())
      #expect([.badURL, .unreachable].contains(failure.kind), "\(url): \(failure)")
      #expect(failure.error().remedy != nil)
    }
  }

  @Test("a key that would end its header is refused") func key() {
    for key in ["a\nHost: other", "a b", "é", "\u{7F}"] {
      #expect(throws: VPatchError.self) { try HTTPClient(key: key) }
    }
  }
}
