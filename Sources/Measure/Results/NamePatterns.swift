import Base

/// Task names as users give them: whole names, or shell patterns (`mmlu_*`).
struct NamePatterns {
  /// Without a glob for a whole name.
  private let patterns: [(text: String, glob: Pattern?)]

  /// - Parameters:
  ///   - option: the option of the patterns, for messages.
  ///   - names: the names to match.
  /// - Throws: `refused` for a pattern that is malformed or matches none of them.
  init(_ patterns: [String], _ option: String, names: [String]) throws {
    self.patterns = try patterns.map { pattern in
      do { return (pattern, try Pattern(glob: pattern)) } catch let error as PatternError {
        if names.contains(where: { $0.isSame(as: pattern) }) { return (pattern, nil) }
        throw VPatchError(
          .refused, nil, "\(option) has the invalid pattern \"\(pattern)\": \(error.reason)",
          remedy: "use * for any characters, ? for one, [a-z] for one of several, or the task's name")
      }
    }
    for pattern in self.patterns where !names.contains(where: { Self.matches(pattern, $0) }) {
      throw VPatchError(
        .refused, nil, "\(option) names the task \"\(pattern.text.printable)\", which is in neither results file",
        remedy: "tasks are \(names.prefix(20).joined(separator: ", ").printable)\(names.count > 20 ? ", …" : "")")
    }
  }

  func matches(_ name: String) -> Bool { patterns.contains { Self.matches($0, name) } }

  /// For each pattern in order, whether it matches.
  func matching(_ name: String) -> [Bool] { patterns.map { Self.matches($0, name) } }

  private static func matches(_ pattern: (text: String, glob: Pattern?), _ name: String) -> Bool {
    pattern.text.isSame(as: name) || pattern.glob?.matches(name: name) ?? false
  }
}
