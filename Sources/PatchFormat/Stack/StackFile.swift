// A stack as a text file for version control:
//
//   # anything
//   vpatch-stack 1
//   name    triage
//   base    7e4d89b0d8cb8d03b8c3d63bee24a61806af262c0e30dba104ca0d087e4fde30
//   method  ties density=0.5 lambda=1
//   patch   7bea7afa2b3fb44629ffbf93e67915713c21c7626edcd4c893acc5c5eb1cfa02@0.8   # counting
//
// UTF-8; one statement per line, ended by LF or CR LF; words separated by spaces or tabs; a word that begins with `#`
// starts a comment. Valid if and only if (1) the first statement is `vpatch-stack 1`, (2) every other is one of the
// four above, (3) `base` occurs once, `name` and `method` at most once, (4) no line has extra words.

import Base

/// The contents of a stack file. Members may be names that only a store can resolve.
package struct StackFile: Equatable, Sendable {
  package var name: String?
  /// A root digest of 64 digits, or the path of a checkpoint.
  package var base: String
  package var method: MergeMethod
  package var members: [MemberReference]

  package init(name: String?, base: String, method: MergeMethod, members: [MemberReference]) {
    self.name = name
    self.base = base
    self.method = method
    self.members = members
  }

  /// - Parameter label: a member's readable name, written as a comment.
  package init(name: String?, _ definition: StackDefinition) {
    self.init(
      name: name, base: definition.base.hex, method: definition.method,
      members: definition.members.map { MemberReference(name: $0.identity.hex, scale: $0.scale) })
  }

  /// - Parameter label: a member's readable name, written as a comment.
  package func text(label: (MemberReference) throws -> String? = { _ in nil }) rethrows -> String {
    var lines = ["vpatch-stack 1"]
    if let name { lines.append("name    \(name)") }
    lines += ["base    \(base)", "method  \(method.text)"]
    lines += try members.map { member in
      try "patch   \(member.name)@\(member.scale.shortest)" + (label(member).map { "   # \($0.printable)" } ?? "")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Whether the file at a path begins like a stack file: its first statement says so.
  package static func looksLikeOne(path: String) throws -> Bool {
    let file = try InputFile(path: path)
    let head = try file.read(0..<min(file.size, 64 << 10))
    let statement = head.split(separator: UInt8(ascii: "\n")).first { line in
      let text = line.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
      return !text.isEmpty && text.first != UInt8(ascii: "#")
    }
    return statement.map { String(decoding: $0, as: UTF8.self).contains("vpatch-stack") } ?? false
  }

  /// - Throws: `invalid` with the number of the line that is not valid.
  package init(text bytes: [UInt8], path: String) throws {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw VPatchError(.invalid, path, "is not UTF-8 text", remedy: "give a stack file")
    }
    var name: String?
    var base: String?
    var method: MergeMethod?
    var members: [MemberReference] = []
    var isHeaded = false
    // By bytes: a combining mark behind a space would form one Character with it.
    for (number, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      var words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.map { String(Substring($0)) }
      if let note = words.firstIndex(where: { $0.utf8.first == UInt8(ascii: "#") }) {
        words.removeSubrange(note...)
      }
      guard let key = words.first else { continue }
      let values = Array(words.dropFirst())
      func invalid(_ reason: String) -> VPatchError {
        VPatchError(.invalid, path, "\(reason) in line \(number + 1)")
      }
      guard isHeaded || (key == "vpatch-stack" && values == ["1"]) else {
        throw VPatchError(
          .invalid, path,
          key == "vpatch-stack"
            ? "is a stack file of version \(values.first?.printable ?? "?"); this vpatch reads version 1"
            : "is not a stack file: it does not begin with \"vpatch-stack 1\"")
      }
      guard isHeaded else {
        isHeaded = true
        continue
      }
      guard !values.isEmpty else { throw invalid("has no value for \"\(key.printable)\"") }
      guard key == "method" || values.count == 1 else { throw invalid("has too many values for \"\(key.printable)\"") }
      switch key {
      case "name" where name == nil: name = values[0]
      case "base" where base == nil: base = values[0]
      case "method" where method == nil: method = try MergeMethod(text: values.joined(separator: " "))
      case "patch": members.append(try MemberReference(values[0]))
      case "name", "base", "method": throw invalid("has \"\(key)\" a second time")
      default: throw invalid("has the unknown word \"\(key.printable)\"")
      }
    }
    guard isHeaded else { throw VPatchError(.invalid, path, "is empty", remedy: "give a stack file") }
    guard let base else { throw VPatchError(.invalid, path, "has no \"base\" line") }
    self.init(name: name, base: base, method: method ?? .sum, members: members)
  }
}
