import Base
import Families

extension Rebuild {
  /// Checks that the input is the first step's: names, dtypes and shapes of all tensors, and the fingerprints of the
  /// touched ones (of all with `full`).
  /// - Throws: `wrongBase` with the first difference and what the model seems to be instead.
  package func checkInput(full: Bool) throws {
    let step = steps[0]
    try checkNames(step)
    let expected = step.patch.header.tensors.compactMap { tensor in
      step.input(tensor).map { (tensor: tensor, side: $0) }
    }
    let touched = Set(self.touched.map(\.name.bytesKey))
    let toCheck = expected.filter { full || touched.contains($0.side.info.name.bytesKey) }
    let tensors = toCheck.map { input.tensor(named: $0.side.info.name)! }
    let digests = try input.fingerprints(
      of: tensors, work, phase: "verifying \(step.direction == .forward ? "base" : "model")")
    let wrong = zip(toCheck, digests).filter { $0.side.fingerprint != $1 }
    guard let first = wrong.first else { return }

    if zip(toCheck, digests).allSatisfy({ step.output($0.tensor)?.fingerprint == $1 }) { throw isDone(step) }
    let others = wrong.count > 1 ? " and \(wrong.count - 1) more" : ""
    throw VPatchError(
      .wrongBase, input.path,
      "is not the \(step.direction == .forward ? "base" : "target") of \(step.patch.label): \(wrong.count) of "
        + "\(toCheck.count) tensors differ in their values, first \"\(first.0.side.info.name.printable)\"\(others)",
      remedy: "the patch needs the model with root \(step.from.short)")
  }

  private func isDone(_ step: PatchStep) -> VPatchError {
    guard step.direction == .forward else {
      return VPatchError(
        .wrongBase, input.path, "does not have \(step.patch.label) applied: its tensors are those of the base",
        remedy: "there is nothing to do")
    }
    return VPatchError(
      .wrongBase, input.path, "already has \(step.patch.label) applied",
      remedy: steps.count == 1 ? "there is nothing to do" : "leave that patch out")
  }

  package func checkNames(_ step: PatchStep) throws {
    let expected = step.patch.header.tensors.compactMap { step.input($0)?.info }
    let found = input.tensors.map(\.info)
    guard expected != found else { return }
    // If a patch adds tensors or rows, the names and shapes alone show which side this is.
    if found == step.patch.header.tensors.compactMap({ step.output($0)?.info }) { throw isDone(step) }
    func wrong(_ reason: String, _ remedy: String? = nil) -> VPatchError {
      let side = step.direction == .forward ? "base" : "target"
      return VPatchError(
        .wrongBase, input.path, "is not the \(side) of \(step.patch.label): \(reason)",
        remedy: remedy ?? "the patch needs the model with root \(step.from.short)")
    }
    let names = (Set(expected.map(\.name.bytesKey)), Set(found.map(\.name.bytesKey)))
    if names.0 == names.1 {
      let (a, b) = zip(expected, found).first { $0 != $1 }!
      throw wrong("the tensor \"\(a.name.printable)\" is \(b.typeDescription), but \(a.typeDescription) is expected")
    }
    if let hint = KeyMap.hint(expected: expected.map(\.name), found: found.map(\.name)) {
      throw wrong(
        hint.description, "convert the model to that layout, or create the patch from this base with --map-keys auto")
    }
    let lacking = expected.filter { !names.1.contains($0.name.bytesKey) }
    let extra = found.filter { !names.0.contains($0.name.bytesKey) }
    var parts: [String] = []
    if let first = lacking.first {
      parts.append("it lacks \(Format.counted(lacking.count, "tensor")), first \"\(first.name.printable)\"")
    }
    if let first = extra.first {
      parts.append("it has \(Format.counted(extra.count, "other")), first \"\(first.name.printable)\"")
    }
    throw wrong(parts.joined(separator: ", and "))
  }
}
