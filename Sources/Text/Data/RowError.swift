import PatchFormat

/// Why a row cannot be used.
public struct RowError: Error, Equatable, Sendable {
  public let reason: String
  init(_ reason: String) { self.reason = reason }

  /// What is wrong with something that a row names, and what to do.
  static func words(_ error: VPatchError) -> String { error.reason + (error.remedy.map { " (\($0))" } ?? "") }
}
