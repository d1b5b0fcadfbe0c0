import Base

/// Why there is no response.
package struct HTTPFailure: Error, Equatable, Sendable {
  package enum Kind: Sendable {
    /// No connection: nothing listens there, or the name is unknown.
    case unreachable
    /// The server did not answer in time.
    case timeout
    /// The connection was made and broke before the whole response was there.
    case broken
    /// The server's certificate is not trusted, or there is no encrypted connection.
    case untrusted
    /// The response is larger than the limit.
    case tooLarge
    /// The caller's `isCancelled` said so.
    case cancelled
    /// The URL is none, or is neither http nor https.
    case badURL
  }

  package let kind: Kind
  package let url: String
  /// What happened: "cannot be reached: Connection refused".
  package let reason: String

  /// The failure as an error of a command.
  /// - Parameter remedy: nil for the usual one of this kind.
  package func error(remedy: String? = nil) -> VPatchError {
    let usual =
      switch kind {
      case .unreachable: "check the address, and that the server runs"
      case .timeout: "give it more time, or look into the server's log"
      case .broken: "look into the server's log"
      case .untrusted: "use the name that the certificate is for; $SSL_CERT_FILE adds authorities"
      case .tooLarge: "check that the address is that of the server"
      case .cancelled: "run the command again"
      case .badURL: "give an address such as http://127.0.0.1:8000"
      }
    return VPatchError(kind == .badURL ? .refused : .io, url, reason, remedy: remedy ?? usual, cause: self)
  }
}
