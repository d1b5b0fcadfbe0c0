import Base

/// A regular expression that must match the *whole* name of a tensor in the file.
///
/// The whole name, because a search for `self_attn.q_proj` would also match in the vision tower. Write `.*` for
/// arbitrary parts. `.` and classes match Unicode scalars; `\d`, `\w` and `\s` are ASCII. Matching takes time
/// proportional to the names, for any pattern.
package struct NamePattern: Sendable {
  /// The expression as given.
  package let source: String
  private let pattern: Pattern

  package init(_ source: String) throws(NamePatternError) {
    guard !source.isEmpty else { throw .empty }
    self.source = source
    do { pattern = try Pattern(source, .name) } catch {
      throw .invalid(pattern: source, reason: (error as? PatternError)?.reason ?? "\(error)")
    }
  }

  package func matches(_ name: String) -> Bool { pattern.matches(name: name) }

  /// The names that match, in their order.
  package func filter(_ names: some Sequence<String>) -> [String] { names.filter(matches) }
}

extension NamePattern: Hashable {
  package static func == (a: NamePattern, b: NamePattern) -> Bool { a.source.isSame(as: b.source) }
  package func hash(into hasher: inout Hasher) { hasher.combine(source.bytesKey) }
}

/// Why a name pattern cannot be used.
package enum NamePatternError: Error, Equatable, Sendable, CustomStringConvertible {
  case empty
  case invalid(pattern: String, reason: String)

  /// The advice after an invalid pattern.
  package static let remedy =
    "write it with classes, groups, alternatives, * + ? {m,n}, \\d \\w \\s, look-ahead; or join whole names by |"

  package var description: String {
    switch self {
    case .empty:
      "the name pattern is empty and would match no tensor; write .* for every name"
    case .invalid(let pattern, let reason):
      "'\(pattern)' is not a valid name pattern: \(reason); \(Self.remedy)"
    }
  }
}
