import Base

extension TrainingRun {
  /// Checks before the first step that the state can be saved.
  /// - Throws: `io` if its folder is not writable, or the disk has too little space.
  package func requireRoom() throws {
    // A finished run saves no more states.
    guard let store, try store.savedStep() != totalSteps else { return }
    try store.requireRoom(
      plan.parameters, steps: totalSteps, hasBudget: options.drift?.budget != nil || options.patience != nil)
  }

  /// Saves the state if there is a folder for it.
  /// - Returns: an event to report; nil if there is none.
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
        "the state after step \(Format.grouped(state.step)) could not be saved: \(error.description); training "
          + "continues, and \(saved)")
    }
  }

  /// Warnings besides the training result.
  package var notes: [String] {
    guard let unsaved else { return [] }
    let steps = unsaved.steps.prefix(8).map { Format.grouped($0) }.joined(separator: ", ")
    let more = unsaved.steps.count > 8 ? ", …" : ""
    return ["the state could not be saved after step \(steps)\(more): \(unsaved.error.description); \(saved)"]
  }

  private var saved: String {
    guard let step = try? store?.savedStep() else { return "there is no state for --resume" }
    return "--resume continues after step \(Format.grouped(step))"
  }
}
