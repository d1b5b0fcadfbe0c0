import Base

/// What a server answered.
package struct HTTPResponse: Sendable {
  /// Such as 200 or 404; redirections (3xx) are not followed.
  package let status: Int
  package let body: [UInt8]

  package init(status: Int, body: [UInt8]) {
    self.status = status
    self.body = body
  }

  package var isSuccess: Bool { 200..<300 ~= status }

  /// The body as JSON; nil where it is none.
  package var json: JSON? { try? JSON.parse(body) }

  /// The body as text, at most 300 characters of it.
  package var excerpt: String {
    let text = String(decoding: body.prefix(2000), as: UTF8.self)
    return text.count > 300 ? text.prefix(300) + "…" : text
  }
}
