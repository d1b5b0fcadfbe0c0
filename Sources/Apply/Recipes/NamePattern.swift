import Base

/// A regular expression that must match the *whole* of a tensor's name in the file.
///
/// Whole, because a search finds `self_attn.q_proj` in the vision tower too; write `.*` where
/// anything may stand. `.` and classes work on Unicode scalars; `\d`, `\w` and `\s` are ASCII.
/// Matching takes time in proportion to the names, whatever the pattern.
package struct NamePattern: Sendable {
  /// The expression as it was typed.
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

/// A pattern for names that cannot be used.
package enum NamePatternError: Error, Equatable, Sendable, CustomStringConvertible {
  case empty
  case invalid(pattern: String, reason: String)

  /// What may be written, for who has written something else.
  package static let remedy =
    "write it with classes, groups, alternatives, * + ? {m,n}, \\d \\w \\s, look-ahead; or join whole names by |"

  package var description: String {
    switch self {
    case .empty:
      "the pattern for names is empty and would match no tensor; write .* for every name"
    case .invalid(let pattern, let reason):
      "'\(pattern)' is not a regular expression for names: \(reason); \(Self.remedy)"
    }
  }
}
