import Base

/// A store of patches, and the patch files and models around it. Its methods keep the three consistent: what a model
/// needs to be reverted stays in the store, and the store records what was done to which model.
package struct Workspace: Sendable {
  package let store: StoreLocation
  package let work: WorkOptions
  package let messages: Messages
  /// Whether members of stacks may have any scale; otherwise only those in `commonScales`.
  package var allowsAnyScale = false

  /// Scales that make sense: from taking a patch's change away to doubling it. Others are usually slips of the pen.
  package static let commonScales = -1.0...2.0

  /// - Parameter store: the store's folder; nil for the default.
  package init(store: StoreLocation = StoreLocation(), work: WorkOptions, messages: Messages = Messages()) {
    self.store = store
    self.work = work
    self.messages = messages
  }
}
