import Base

/// Why a row cannot be used.
package struct RowError: Error, Equatable, Sendable {
  package let reason: String
  init(_ reason: String) { self.reason = reason }

  /// Reason and remedy of an error in something that a row names.
  static func words(_ error: VPatchError) -> String { error.reason + (error.remedy.map { " (\($0))" } ?? "") }
}
