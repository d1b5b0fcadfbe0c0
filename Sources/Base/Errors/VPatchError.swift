/// An error: which file, what is wrong with it, and what to do about it, on one line.
///
/// Every error that vpatch throws because of a file, a model or the system has this type. A programming mistake is a
/// precondition failure instead.
package struct VPatchError: Error, Equatable, Sendable, CustomStringConvertible {
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

  package let code: Code
  /// The file (or tensor in a file) that the message is about.
  package let subject: String?
  /// What is wrong.
  package let reason: String
  /// What the user can do about it.
  package let remedy: String?

  package init(_ code: Code, _ subject: String?, _ reason: String, remedy: String? = nil) {
    self.code = code
    self.subject = subject
    self.reason = reason
    self.remedy = remedy
  }

  package var description: String {
    let head = subject.map { "\($0.printable): " } ?? ""
    let tail = remedy.map { "; \($0.printable)" } ?? ""
    return head + reason.printable + tail
  }
}
