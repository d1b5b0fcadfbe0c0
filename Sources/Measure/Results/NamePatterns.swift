import Base

/// Names of tasks as people give them: whole names, or patterns of a shell (`mmlu_*`).
struct NamePatterns {
  /// Of a whole name that is no pattern, the name alone.
  private let patterns: [(text: String, glob: Pattern?)]

  /// - Parameters:
  ///   - option: what the patterns were given with, for the message.
  ///   - names: what they are for.
  /// - Throws: `refused` for a pattern that names none of them, or is none.
  init(_ patterns: [String], _ option: String, names: [String]) throws {
    self.patterns = try patterns.map { pattern in
      do { return (pattern, try Pattern(glob: pattern)) } catch let error as PatternError {
        if names.contains(where: { $0.isSame(as: pattern) }) { return (pattern, nil) }
        throw VPatchError(
          .refused, nil, "\(option) has the pattern \"\(pattern)\": \(error.reason)",
          remedy: "write it with * for any characters, ? for one, [a-z] for one of several, or name the task")
      }
    }
    for pattern in self.patterns where !names.contains(where: { Self.matches(pattern, $0) }) {
      throw VPatchError(
        .refused, nil, "\(option) names the task \"\(pattern.text.printable)\", which is in neither results file",
        remedy: "tasks are \(names.prefix(20).joined(separator: ", ").printable)\(names.count > 20 ? ", …" : "")")
    }
  }

  func matches(_ name: String) -> Bool { patterns.contains { Self.matches($0, name) } }

  /// Which of the patterns match, in their order.
  func matching(_ name: String) -> [Bool] { patterns.map { Self.matches($0, name) } }

  private static func matches(_ pattern: (text: String, glob: Pattern?), _ name: String) -> Bool {
    pattern.text.isSame(as: name) || pattern.glob?.matches(name: name) ?? false
  }
}
