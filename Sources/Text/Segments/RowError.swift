import Base

/// Why a row cannot be used.
package struct RowError: Error, Equatable, Sendable {
  package let reason: String
  init(_ reason: String) { self.reason = reason }

  /// What is wrong with something that a row names, and what to do.
  static func words(_ error: VPatchError) -> String { error.reason + (error.remedy.map { " (\($0))" } ?? "") }
}
