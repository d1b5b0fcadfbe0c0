/// What went wrong, in which file, and what to do about it, on one line.
///
/// Every error that vpatch throws for something in the world (a file, a model, a disk) is one of these.
/// A programmer's mistake is a precondition failure instead.
public struct VPatchError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What kind of failure it is; the command's exit code follows from it.
  public enum Code: String, Sendable, CaseIterable {
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

  public let code: Code
  /// The file (or tensor in a file) that the message is about.
  public let subject: String?
  /// What is wrong.
  public let reason: String
  /// What the user can do.
  public let remedy: String?

  public init(_ code: Code, _ subject: String?, _ reason: String, remedy: String? = nil) {
    self.code = code
    self.subject = subject
    self.reason = reason
    self.remedy = remedy
  }

  public var description: String {
    let head = subject.map { "\($0.printable): " } ?? ""
    let tail = remedy.map { "; \($0.printable)" } ?? ""
    return head + reason.printable + tail
  }
}

extension String {
  /// The text with control characters made visible, so that a hostile name cannot rewrite a terminal.
  public var printable: String {
    // Most texts are plain, and a table has many.
    if utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return self }
    guard unicodeScalars.contains(where: \.isControl) else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      if scalar.isControl {
        text += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
  }
}

extension String {
  /// The same for a text of several lines: line feeds and tabs stay as they are.
  public var printableText: String {
    if utf8.allSatisfy({ (0x20..<0x7F).contains($0) || $0 == 0x0A || $0 == 0x09 }) { return self }
    guard unicodeScalars.contains(where: { $0.isControl && $0 != "\n" && $0 != "\t" }) else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      text += scalar == "\n" || scalar == "\t" ? String(scalar) : String(scalar).printable
    }
  }
}

extension Unicode.Scalar {
  /// C0, DEL, C1 and the marks that change the direction of what follows.
  fileprivate var isControl: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
