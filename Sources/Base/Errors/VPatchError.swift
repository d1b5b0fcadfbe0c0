/// An error: which file, what is wrong with it, and what to do about it, on one line.
///
/// Every error that vpatch throws because of a file, a model or the system has this type. A programming mistake is a
/// precondition failure instead.
package struct VPatchError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure. It decides the exit code.
  package enum Code: String, Sendable, CaseIterable {
    /// The system failed to read or write: permissions, a full disk, a missing file.
    case io
    /// A file is not valid: not a checkpoint, not a patch.
    case invalid
    /// The patch does not apply to this model.
    case wrongBase
    /// The result is not what the patch records. Nothing was written.
    case mismatch
    /// The request contradicts what exists, such as a recipe that does not match, or an output that already exists.
    case refused
  }

  /// What exactly went wrong, for callers that react to it.
  package enum Detail: Sendable, Equatable {
    /// A file's bytes are not those that were written: its digests say so, or it is cut short.
    case damaged
    /// A change of the model in place is unfinished: `vpatch recover` finishes it.
    case needsRecovery
    /// A name that nothing has; similar ones exist.
    case unknownName(similar: [String])
    /// A training run diverged: its loss is not a number, or far above where it began.
    case diverged
  }

  package let code: Code
  /// The file (or tensor in a file) that the message is about.
  package let subject: String?
  /// What is wrong.
  package let reason: String
  /// What the user can do about it.
  package let remedy: String?

  package let detail: Detail?
  /// The error that led to this one.
  package let cause: (any Error)?

  package init(
    _ code: Code, _ subject: String?, _ reason: String, remedy: String? = nil, detail: Detail? = nil,
    cause: (any Error)? = nil
  ) {
    self.code = code
    self.subject = subject
    self.reason = reason
    self.remedy = remedy
    self.detail = detail
    self.cause = cause
  }

  /// The same error with another remedy; this one is its cause.
  /// - Parameter detail: nil for that of this error.
  package func advising(_ remedy: String?, detail: Detail? = nil) -> VPatchError {
    VPatchError(code, subject, reason, remedy: remedy, detail: detail ?? self.detail, cause: self)
  }

  package var description: String {
    let head = subject.map { "\($0.printable): " } ?? ""
    let tail = remedy.map { "; \($0.printable)" } ?? ""
    return head + reason.printable + tail
  }
}

extension VPatchError: Equatable {
  /// Whether both say the same, whatever caused them.
  package static func == (a: VPatchError, b: VPatchError) -> Bool {
    a.code == b.code && a.subject == b.subject && a.reason == b.reason && a.remedy == b.remedy && a.detail == b.detail
  }
}
