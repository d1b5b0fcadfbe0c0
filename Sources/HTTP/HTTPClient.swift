// HTTP by libcurl. Certificates are verified. Redirections are not followed: a key must not be sent to another place than
// the one that was typed. Proxies are those of the environment (http_proxy, https_proxy, no_proxy).

import Base
import CLoaded

/// Sends requests, each over a connection of its own. Any number of threads may use it.
package struct HTTPClient: Sendable {
  /// Sent as `Authorization: Bearer KEY`; nil for none.
  package var key: String?
  /// Maximum time to connect.
  package var connectTimeout = Duration.seconds(10)
  /// Maximum time for a whole request, the connection included.
  package var timeout = Duration.seconds(60)
  /// Maximum size of a response in bytes.
  package var maximumResponse = 16 << 20
  /// Asked about once a second during a request, and more often while bytes arrive; true ends the request.
  package var isCancelled: @Sendable () -> Bool = { false }

  /// - Parameter key: printable ASCII characters.
  /// - Throws: `refused` for a key that cannot be in a header; `io` where libcurl is not installed.
  package init(key: String? = nil) throws {
    if let key, !key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
      throw VPatchError(.refused, nil, "the server's key has spaces or characters that are not ASCII")
    }
    self.key = key
    _ = try Curl.loaded()
  }

  package func get(_ url: String) throws(HTTPFailure) -> HTTPResponse { try send(url, body: nil) }

  /// - Parameter json: the body; nil for an empty one.
  package func post(_ url: String, _ json: JSON? = nil) throws(HTTPFailure) -> HTTPResponse {
    try send(url, body: json.map { Array($0.compact().utf8) } ?? [])
  }

  /// - Parameter body: of a POST; nil for a GET.
  private func send(_ url: String, body: [UInt8]?) throws(HTTPFailure) -> HTTPResponse {
    guard let curl = try? Curl.loaded() else { preconditionFailure("the initialiser loaded it") }
    guard !url.utf8.contains(0), let handle = curl.create() else {
      throw HTTPFailure(kind: .badURL, url: url, reason: "is not an address")
    }
    defer { curl.free(handle) }
    let transfer = Transfer(limit: maximumResponse, isCancelled: isCancelled)
    let code = withExtendedLifetime(transfer) { perform(curl, handle, url, body, transfer) }
    guard code == VP_CURLE_OK else {
      throw failure(code, curl, url, transfer)
    }
    var status = 0
    _ = vp_curl_get_long(curl.get, handle, CInt(VP_CURLINFO_RESPONSE_CODE), &status)
    return HTTPResponse(status: status, body: transfer.body)
  }

  private func perform(
    _ curl: Curl, _ handle: UnsafeMutableRawPointer, _ url: String, _ body: [UInt8]?, _ transfer: Transfer
  ) -> Int32 {
    func set(_ option: Int, _ value: Int) { _ = vp_curl_set_long(curl.set, handle, CInt(option), value) }
    func set(_ option: Int, _ text: String) -> CInt {
      vp_curl_set_pointer(curl.set, handle, CInt(option), text)  // libcurl copies it
    }
    var headers: UnsafeMutableRawPointer?
    defer { curl.freeList(headers) }
    // Without "Expect", which makes libcurl wait for a permission to send that many servers never give.
    var lines = ["Accept: application/json", "Expect:"]
    if body?.isEmpty == false { lines.append("Content-Type: application/json") }
    if let key { lines.append("Authorization: Bearer \(key)") }
    for line in lines { headers = curl.append(headers, line) }
    _ = vp_curl_set_pointer(curl.set, handle, CInt(VP_CURLOPT_HTTPHEADER), headers)
    _ = set(VP_CURLOPT_URL, url)
    _ = set(VP_CURLOPT_USERAGENT, "vpatch/\(vpatchVersion)")
    if set(VP_CURLOPT_PROTOCOLS_STR, "http,https") != 0 {
      // Before 7.85.
      set(VP_CURLOPT_PROTOCOLS, VP_CURLPROTO_HTTP | VP_CURLPROTO_HTTPS)
    }
    set(VP_CURLOPT_FOLLOWLOCATION, 0)
    set(VP_CURLOPT_SSL_VERIFYPEER, 1)
    set(VP_CURLOPT_SSL_VERIFYHOST, 2)
    set(VP_CURLOPT_NOSIGNAL, 1)
    set(VP_CURLOPT_CONNECTTIMEOUT_MS, connectTimeout.milliseconds)
    set(VP_CURLOPT_TIMEOUT_MS, timeout.milliseconds)
    set(VP_CURLOPT_NOPROGRESS, 0)
    let context = Unmanaged.passUnretained(transfer).toOpaque()
    _ = vp_curl_set_write(
      curl.set, handle,
      { bytes, size, count, context in
        Transfer.of(context).take(UnsafeRawBufferPointer(start: bytes, count: size * count))
      }, context)
    _ = vp_curl_set_progress(
      curl.set, handle, { context, _, _, _, _ in Transfer.of(context).isCancelled() ? 1 : 0 }, context)
    _ = vp_curl_set_pointer(
      curl.set, handle, CInt(VP_CURLOPT_ERRORBUFFER), transfer.message.baseAddress)
    guard let body else { return curl.perform(handle) }
    set(VP_CURLOPT_POST, 1)
    _ = vp_curl_set_offset(curl.set, handle, CInt(VP_CURLOPT_POSTFIELDSIZE_LARGE), Int64(body.count))
    // Not copied: valid until the end of the call.
    return (body.isEmpty ? [UInt8(0)] : body).withUnsafeBytes {
      _ = vp_curl_set_pointer(curl.set, handle, CInt(VP_CURLOPT_POSTFIELDS), $0.baseAddress)
      return curl.perform(handle)
    }
  }

  private func failure(_ code: Int32, _ curl: Curl, _ url: String, _ transfer: Transfer) -> HTTPFailure {
    let general = curl.describe(code).map { String(cString: $0) } ?? "error \(code)"
    let detail = String(cString: transfer.message.baseAddress!)
    let text = detail.isEmpty ? general : detail
    func failure(_ kind: HTTPFailure.Kind, _ reason: String) -> HTTPFailure {
      HTTPFailure(kind: kind, url: url, reason: reason)
    }
    switch Int(code) {
    case VP_CURLE_COULDNT_CONNECT, VP_CURLE_COULDNT_RESOLVE_HOST:
      return failure(.unreachable, "cannot be reached: \(text)")
    case VP_CURLE_OPERATION_TIMEDOUT:
      return failure(.timeout, "has not answered in time: \(text)")
    case VP_CURLE_SSL_CONNECT_ERROR, VP_CURLE_PEER_FAILED_VERIFICATION:
      return failure(.untrusted, "has no connection that can be trusted: \(text)")
    case VP_CURLE_ABORTED_BY_CALLBACK: return failure(.cancelled, "was interrupted")
    case VP_CURLE_WRITE_ERROR where transfer.isTooLarge:
      return failure(.tooLarge, "answers with more than \(Format.bytes(maximumResponse))")
    case VP_CURLE_URL_MALFORMAT, VP_CURLE_UNSUPPORTED_PROTOCOL:
      return failure(.badURL, "is not an http or https address: \(text)")
    default: return failure(.broken, "broke the connection: \(text)")
    }
  }
}

/// The state of one request, which libcurl's callbacks reach by its address. They run on the thread of the request.
private final class Transfer {
  private(set) var body: [UInt8] = []
  private(set) var isTooLarge = false
  /// libcurl writes its own words here.
  let message = UnsafeMutableBufferPointer<CChar>.allocate(capacity: VP_CURL_ERROR_SIZE)
  let isCancelled: @Sendable () -> Bool
  private let limit: Int

  init(limit: Int, isCancelled: @escaping @Sendable () -> Bool) {
    self.limit = limit
    self.isCancelled = isCancelled
    message.initialize(repeating: 0)
  }

  deinit { message.deallocate() }

  static func of(_ context: UnsafeMutableRawPointer?) -> Transfer {
    Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
  }

  /// - Returns: the number of bytes taken; another number than given ends the transfer.
  func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard body.count + bytes.count <= limit else {
      isTooLarge = true
      return 0
    }
    body += bytes
    return bytes.count
  }
}

extension Duration {
  fileprivate var milliseconds: Int {
    Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
  }
}
