/// Why a row cannot be used.
public struct RowError: Error, Equatable, Sendable {
  public let reason: String
  init(_ reason: String) { self.reason = reason }
}
