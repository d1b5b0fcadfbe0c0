import Base

extension TrainingRun {
  /// Whether the state can be saved, to be found before the first step.
  /// - Throws: `io` where its folder cannot be written to, or the disk has no room for it.
  package func requireRoom() throws {
    // A run that is done needs none.
    guard let store, try store.savedStep() != totalSteps else { return }
    try store.requireRoom(plan.parameters, steps: totalSteps, hasBudget: options.drift?.budget != nil)
  }

  /// Saves the state, where it is to be kept.
  /// - Returns: what is to be told.
  func save() -> TrainingEvent? {
    guard let store else { return nil }
    do {
      try store.write(state, plan.parameters)
      return .saved(step: state.step)
    } catch {
      let error = error as? VPatchError ?? VPatchError(.io, store.path, "\(error)")
      unsaved = unsaved.map { ($0.steps + [state.step], $0.error) } ?? ([state.step], error)
      guard unsaved?.steps.count == 1 else { return nil }
      return .trouble(
        "the state after step \(Format.grouped(state.step)) could not be saved: \(error.description); training goes on, "
          + "and \(saved)")
    }
  }

  /// What went wrong besides the learning.
  package var notes: [String] {
    guard let unsaved else { return [] }
    let steps = unsaved.steps.prefix(8).map { Format.grouped($0) }.joined(separator: ", ")
    let more = unsaved.steps.count > 8 ? ", …" : ""
    return ["the state could not be saved after step \(steps)\(more): \(unsaved.error.description); \(saved)"]
  }

  private var saved: String {
    guard let step = try? store?.savedStep() else { return "--resume has no state to go on from" }
    return "--resume goes on after step \(Format.grouped(step))"
  }
}
