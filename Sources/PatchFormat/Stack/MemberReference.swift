import Base

/// A member of a stack in text form: `NAME_OR_FILE[@SCALE]`.
package struct MemberReference: Hashable, Sendable {
  /// A file, an alias, a tag, or the beginning of an identity.
  package let name: String
  package let scale: Double

  package init(name: String, scale: Double = 1) {
    self.name = name
    self.scale = scale
  }

  /// The scale follows the last `@`, if that part is a number. If a file has the whole text as its name, that file is
  /// meant.
  /// - Throws: `refused` for a scale that is not finite, or an empty name.
  package init(_ text: String, fileExists: (String) throws -> Bool = { try PathKind.of($0) == .file }) throws {
    guard let at = text.utf8.lastIndex(of: UInt8(ascii: "@")), try !fileExists(text) else {
      try self.init(checked: text, 1)
      return
    }
    let tail = String(Substring(text.utf8[text.utf8.index(after: at)...]))
    let head = String(Substring(text.utf8[..<at]))
    if let scale = Double(decimal: tail) {
      try self.init(checked: head, scale)
    } else if Double(tail) != nil {
      throw VPatchError(
        .refused, head, "has the scale \"\(tail)\", which is not a finite number", remedy: "give a number")
    } else {
      try self.init(checked: text, 1)
    }
  }

  private init(checked name: String, _ scale: Double) throws {
    guard !name.isEmpty else {
      throw VPatchError(.refused, nil, "a member of a stack has no name", remedy: "write it NAME[@SCALE]")
    }
    self.init(name: name, scale: scale)
  }

  package var text: String { scale == 1 ? name : "\(name)@\(scale.shortest)" }
}
