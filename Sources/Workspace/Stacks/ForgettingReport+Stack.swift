import Catalogue
import Measure
import PatchFormat

extension ForgettingReport {
  /// Measured on exactly the stack's weights, else predicted from its members, number by number.
  package init(ofStack stack: StackDefinition, _ store: Store) throws {
    let members = try stack.members.map { ($0.scale, try store.stored($0.identity)?.summary ?? .unmeasured) }
    let predicted = ForgettingSummary.predicted(members: members)
    self = try Self.measured(ofStack: stack, store)?.completed(by: predicted) ?? ForgettingReport(predicted: predicted)
  }

  /// What was measured on exactly the stack's weights: the records of its composite; nil if there are none.
  package static func measured(ofStack stack: StackDefinition, _ store: Store) throws -> ForgettingReport? {
    guard let composite = try store.composite(stackIdentity: stack.identity), try store.path(of: composite) != nil
    else { return nil }
    let report = try ForgettingReport(store.patch(composite))
    return report.records.isEmpty ? nil : report
  }
}
