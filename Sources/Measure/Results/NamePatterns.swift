import Glibc
import PatchFormat

/// Names of tasks as people give them: whole names, or patterns of a shell (`mmlu_*`).
struct NamePatterns {
  private let patterns: [String]

  /// - Parameters:
  ///   - option: what the patterns were given with, for the message.
  ///   - names: what they are for.
  /// - Throws: `refused` for a pattern that names none of them.
  init(_ patterns: [String], _ option: String, names: [String]) throws {
    self.patterns = patterns
    for pattern in patterns where !names.contains(where: { Self.matches(pattern, $0) }) {
      throw VPatchError(
        .refused, nil, "\(option) names the task \"\(pattern.printable)\", which is in neither results file",
        remedy: "tasks are \(names.prefix(20).joined(separator: ", ").printable)\(names.count > 20 ? ", …" : "")")
    }
  }

  func matches(_ name: String) -> Bool { patterns.contains { Self.matches($0, name) } }

  static func matches(_ pattern: String, _ name: String) -> Bool {
    pattern.isSame(as: name) || fnmatch(pattern, name, 0) == 0
  }
}
