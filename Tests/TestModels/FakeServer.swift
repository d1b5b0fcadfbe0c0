import Foundation
import Glibc
import Synchronization

/// An HTTP server of a test's own on a free port of this machine, for as long as the value lives.
package final class FakeServer: Sendable {
  package struct Request: Sendable {
    package let method: String
    /// With the query, such as `/pause?mode=wait`.
    package let path: String
    /// By lower-case names.
    package let headers: [String: String]
    package let body: [UInt8]
  }

  package enum Answer: Sendable {
    case reply(Int, String, headers: [String] = [])
    /// Closes the connection.
    case hangUp
    /// Answers nothing until the client is gone.
    case silence
  }

  package let url: String
  private let listener: Int32
  private let seen = Mutex<[Request]>([])

  /// All requests so far.
  package var requests: [Request] { seen.withLock { $0 } }

  /// - Parameter answer: called for each request, from a thread of its own.
  package init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, size) == 0 && listen(listener, 16) == 0 ? getsockname(listener, address, &size) : -1
      }
    }
    guard code == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
    url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    self.listener = listener
    let seen: @Sendable (Request) -> Void = { [weak self] request in self?.seen.withLock { $0.append(request) } }
    Thread.detachNewThread {
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        Thread.detachNewThread {
          Self.serve(connection, seen, answer)
          close(connection)
        }
      }
    }
  }

  deinit { stop() }

  /// Refuses connections from now on.
  package func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  private static func serve(
    _ connection: Int32, _ seen: @Sendable (Request) -> Void, _ answer: @Sendable (Request) -> Answer
  ) {
    guard let request = read(connection) else { return }
    seen(request)
    switch answer(request) {
    case .hangUp: break
    case .silence:
      var byte: UInt8 = 0
      while recv(connection, &byte, 1, 0) > 0 {}
    case .reply(let status, let body, let headers):
      let lines = ["HTTP/1.1 \(status) Words", "Content-Length: \(body.utf8.count)", "Connection: close"] + headers
      let text = Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
      var sent = 0
      while sent < text.count {
        let n = text.withUnsafeBytes {
          send(connection, $0.baseAddress! + sent, text.count - sent, Int32(MSG_NOSIGNAL))
        }
        guard n > 0 else { return }
        sent += n
      }
    }
  }

  private static func read(_ connection: Int32) -> Request? {
    var bytes: [UInt8] = []
    func more() -> Bool {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let n = recv(connection, &buffer, buffer.count, 0)
      if n > 0 { bytes += buffer[..<n] }
      return n > 0
    }
    let end = Array("\r\n\r\n".utf8)
    var head = bytes.firstRange(of: end)
    while head == nil {
      guard more() else { return nil }
      head = bytes.firstRange(of: end)
    }
    let lines = String(decoding: bytes[..<head!.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    let first = lines[0].split(separator: " ").map(String.init)
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    while bytes.count < head!.upperBound + length { guard more() else { return nil } }
    return Request(
      method: first[0], path: first[1], headers: headers,
      body: Array(bytes[head!.upperBound..<head!.upperBound + length]))
  }
}
