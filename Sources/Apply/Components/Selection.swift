/// What may change: the components of a recipe, or the tensors whose names match a pattern.
public enum Selection: Hashable, Sendable {
  case recipe(Recipe)
  case only(NamePattern)

  /// Whether the tensor may change.
  public func contains(_ name: String, in layout: ModelLayout) -> Bool {
    !filter([name], in: layout).isEmpty
  }

  /// The tensors that may change, in their order. Compiles a pattern once for all names.
  public func filter(_ names: some Sequence<String>, in layout: ModelLayout) -> [String] {
    switch self {
    case .recipe(let recipe): names.filter { recipe.contains(layout.component(of: $0)) }
    case .only(let pattern): pattern.filter(names)
    }
  }
}

/// A regular expression that must match the *whole* of a tensor's name in the file.
///
/// Whole, because a search finds `self_attn.q_proj` in the vision tower too; write `.*` where
/// anything may stand. `.` and classes work on Unicode scalars; `\d`, `\w` and `\s` are ASCII.
public struct NamePattern: Hashable, Sendable {
  /// The expression as it was typed.
  public let source: String

  public init(_ source: String) throws(NamePatternError) {
    guard !source.isEmpty else { throw .empty }
    do {
      _ = try Regex(source)
    } catch {
      throw .invalid(pattern: source, reason: "\(error)")
    }
    self.source = source
  }

  public func matches(_ name: String) -> Bool { !filter([name]).isEmpty }

  /// The names that match, in their order.
  public func filter(_ names: some Sequence<String>) -> [String] {
    // Compiled here and not kept: a `Regex` is not `Sendable`. `init` has shown that it compiles.
    guard let regex = try? Regex(source) else { return [] }
    let whole = regex.matchingSemantics(.unicodeScalar).asciiOnlyCharacterClasses()
    return names.filter { (try? whole.wholeMatch(in: $0)) != nil }
  }
}

/// A pattern for names that cannot be used.
public enum NamePatternError: Error, Equatable, Sendable, CustomStringConvertible {
  case empty
  case invalid(pattern: String, reason: String)

  public var description: String {
    switch self {
    case .empty:
      "the pattern for names is empty and would match no tensor; write .* for every name"
    case .invalid(let pattern, let reason):
      "'\(pattern)' is not a regular expression: \(reason)"
    }
  }
}
