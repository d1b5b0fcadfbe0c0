import Base

/// What a server says of its weights.
package struct ServerState: Sendable {
  /// A patch that is in.
  package struct Applied: Sendable {
    package let identity: String
    package let name: String?
    package let touched: Int?
  }

  /// The reply as it came.
  package let json: JSON
  /// The model's folder on the server's machine.
  package let model: String?
  /// Why no patch can go in; nil where one can.
  package let reason: String?
  /// Root digests: of the model as it was loaded, and as it is now; nil while the server does not know.
  package let base: String?
  package let root: String?
  /// From bottom to top.
  package let applied: [Applied]
  /// The identity of the top patch, or the root of the base; nil while unknown.
  package let weightVersion: String?
  /// Which tensors this reply's request compared with what the patches record.
  package let verified: String
  /// vLLM: a weight update was started and not finished.
  package let isSessionOpen: Bool
  /// The time of the change itself.
  package let seconds: Double
  package let lastError: ServerError?

  /// - Parameter url: for messages.
  /// - Throws: `refused` for a reply that is none of vpatch's; otherwise what a failure says.
  package init(_ json: JSON, _ url: String) throws {
    guard json.object != nil, let isDone = json["ok"]?.bool else { throw ServerError.unknownReply(url) }
    guard isDone else { throw (ServerError(json["error"]) ?? ServerError.unnamed).error(url) }
    self.json = json
    model = json["model"]?.string
    reason = json["ready"]?.bool == false ? json["reason"]?.string ?? "it does not say why" : nil
    base = json["base"]?.string
    root = json["root"]?.string
    applied = try (json["applied"]?.array ?? []).map { patch in
      guard let identity = patch["identity"]?.string else { throw ServerError.unknownReply(url) }
      return Applied(identity: identity, name: patch["name"]?.string, touched: patch["touched"]?.int)
    }
    weightVersion = json["weight_version"]?.string
    verified = json["verified"]?.string ?? "none"
    isSessionOpen = json["session_open"]?.bool ?? false
    seconds = json["seconds"]?.double ?? 0
    lastError = ServerError(json["last_error"])
  }
}

/// A failure as a server reports it.
package struct ServerError: Sendable, Equatable {
  package let kind: String
  /// One line, with the remedy.
  package let message: String

  /// Nil for what is no failure.
  init?(_ json: JSON?) {
    guard let kind = json?["kind"]?.string, let message = json?["message"]?.string else { return nil }
    self.kind = kind
    self.message = message
  }

  private init(kind: String, message: String) {
    self.kind = kind
    self.message = message
  }

  static let unnamed = ServerError(kind: "internal", message: "the server says no reason; see its log")

  /// The weights are of two models, and the server ends with an error at its next step.
  static let mixedModel = "mixed-model"

  /// The failure as an error of a command.
  func error(_ url: String) -> VPatchError {
    let code: VPatchError.Code =
      switch kind {
      case "invalid-file": .invalid
      case "wrong-base": .wrongBase
      case "mismatch", Self.mixedModel: .mismatch
      case "refused", "misuse": .refused
      default: .io
      }
    return VPatchError(code, url, message, cause: Reported(error: self))
  }

  /// The server's own report, as the cause of an error.
  struct Reported: Error {
    let error: ServerError
  }

  static func unknownReply(_ url: String) -> VPatchError {
    VPatchError(
      .refused, url, "gives a reply that this vpatch does not understand",
      remedy: "use the same version of vpatch here and in the server's environment")
  }
}

extension VPatchError {
  /// Whether a server reported that its weights are of two models.
  var isMixedModel: Bool { (cause as? ServerError.Reported)?.error.kind == ServerError.mixedModel }
}
