import Base

/// A kind of evaluation task: its keys in a suite, what it reads of its items, and how it measures a model.
///
/// A new kind is a file in `Kinds/` and a line in `Suite/Suite+Kinds.swift`.
package protocol TaskKind: Sendable {
  /// The value of `kind` in a suite.
  static var name: String { get }
  /// What it reads of its data.
  var needs: EvaluationItem.Needs { get }
  /// Whether it compares the model with a base (`TaskRun.base`).
  static var comparesWithBase: Bool { get }
  /// What the result depends on besides the model and the items.
  var settings: [JSON.Member] { get }

  /// Reads the kind's own keys.
  /// - Throws: `invalid`, naming the task and the key.
  init(_ table: TOMLReader) throws
  /// Measures one model.
  /// - Throws: `refused`, naming task and item, for what cannot be measured.
  func run(_ run: TaskRun) throws -> TaskOutcome
}

extension TaskKind {
  package static var comparesWithBase: Bool { false }
}
