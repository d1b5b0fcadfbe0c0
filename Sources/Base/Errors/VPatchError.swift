/// What went wrong, in which file, and what to do about it, on one line.
///
/// Every error that vpatch throws for something in the world (a file, a model, a disk) is one of these.
/// A programmer's mistake is a precondition failure instead.
package struct VPatchError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What kind of failure it is; the command's exit code follows from it.
  package enum Code: String, Sendable, CaseIterable {
    /// The system refused to read or write: permissions, a full disk, a missing file.
    case io
    /// A file is not what its name says: not a valid checkpoint or patch.
    case invalid
    /// The patch does not belong to this model.
    case wrongBase
    /// The result is not what the patch promises; nothing was written.
    case mismatch
    /// What was asked for contradicts what is there (a recipe that does not hold, an output that exists).
    case refused
  }

  package let code: Code
  /// The file (or tensor in a file) that the message is about.
  package let subject: String?
  /// What is wrong.
  package let reason: String
  /// What the user can do.
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
