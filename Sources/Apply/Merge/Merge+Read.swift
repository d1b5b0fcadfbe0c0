import Base
import CKernels
import Checkpoints
import PatchFormat

extension Merge {
  /// Verifies one tensor of the base and what every contributor makes of it, and computes the result's fingerprint.
  /// After trimming or computing an angle, this takes one pass over the tensor.
  /// - Parameter base: returns a new source of a tensor of the base at each call; nil where the base has none.
  /// - Returns: the result's fingerprint, `ContentDigest.zero` where the stack removes the tensor; and the number of
  ///   its elements that are infinite or NaN although those of the base and of all contributors are finite.
  /// - Throws: `wrongBase`, `mismatch`, and errors of reading.
  package func outcome(_ name: String, base: (String) -> (any TensorSource)?) throws -> (
    fingerprint: ContentDigest, notFinite: Int
  ) {
    let tensor = touchedTensor(name)
    let stored = try checked(tensor, base).map(HashedTensor.init)
    do {
      let tuned = try members(tensor, base).map { ($0, source: HashedTensor($1)) } as [Verified]
      let merged = try merged(tensor, stored, tuned.map(\.source), base)
      merged?.isCounting = true
      let result = try merged?.fingerprint()
      for member in tuned {
        guard try member.source.finish() == member.contributor.tensor.target!.fingerprint else {
          throw VPatchError(
            .mismatch, member.contributor.patch.label,
            "does not produce the recorded tensor \"\(tensor.name.printable)\"",
            remedy: "was the model changed meanwhile? If not, this is a bug in vpatch: please report it")
        }
      }
      try check(stored, of: tensor)
      return (result ?? tensor.contributors[0].tensor.target?.fingerprint ?? .zero, merged?.notFinite ?? 0)
    } catch {
      // A wrong base can cause various errors. If that is the cause, this throws the right one.
      try check(base(name).map(HashedTensor.init), of: tensor)
      throw error
    }
  }

  /// The tensor that the stack makes. Several threads may read, each with its own source.
  /// - Parameter base: returns a new source of a tensor of the base at each call; nil where the base has none.
  package func source(_ name: String, base: (String) -> (any TensorSource)?) throws -> any TensorSource {
    let tensor = touchedTensor(name)
    let stored = try checked(tensor, base)
    if let tuned = exactCopy(tensor) {
      guard let source = PatchedTensor(tuned.tensor, of: tuned.patch, .forward, over: base) else {
        preconditionFailure("the stack removes this tensor")
      }
      return source
    }
    return try merged(tensor, stored, members(tensor, base).map(\.source), base)!
  }

  /// The entry of the patch whose target tensor is the result; nil where the result must be computed.
  package func copied(_ name: String) -> (patch: Patch, tensor: PatchTensor)? {
    exactCopy(touchedTensor(name)).map { ($0.patch, $0.tensor) }
  }

  private func touchedTensor(_ name: String) -> TouchedTensor {
    guard let tensor = tensor(name) else { preconditionFailure("no member touches this tensor") }
    return tensor
  }

  /// The only member whose target tensor is the result.
  func exactCopy(_ tensor: TouchedTensor) -> Contributor? {
    let first = tensor.contributors[0]
    guard tensor.isMergeable else { return first }
    guard case .differences(let kind) = rule.kind, kind == VP_ADD, rule.keepBelow == nil, rule.rest == 1,
      tensor.contributors.count == 1, first.weight == 1
    else { return nil }
    return first
  }

  private typealias Verified = (contributor: Contributor, source: HashedTensor)

  /// What the contributors make of the tensor. Those that remove it are left out.
  private func members(
    _ tensor: TouchedTensor, _ base: (String) -> (any TensorSource)?
  ) throws -> [(contributor: Contributor, source: PatchedTensor)] {
    try tensor.contributors.compactMap { contributor in
      _ = try checked(tensor, base)
      return PatchedTensor(contributor.tensor, of: contributor.patch, .forward, over: base).map { (contributor, $0) }
    }
  }

  /// Nil where the result is a member's target tensor.
  private func merged(
    _ tensor: TouchedTensor, _ stored: (any TensorSource)?, _ tuned: [any TensorSource],
    _ base: (String) -> (any TensorSource)?
  ) throws -> MergedTensor? {
    guard exactCopy(tensor) == nil else { return nil }
    let plan = try plans.plan(of: tensor.name) {
      try MergePlan(tensor, rule, kernel, base: checked(tensor, base)!, tuned: members(tensor, base).map(\.source))
    }
    return MergedTensor(tensor, rule, plan, kernel, base: stored!, tuned: tuned)
  }

  private func checked(_ tensor: TouchedTensor, _ base: (String) -> (any TensorSource)?) throws -> (any TensorSource)? {
    let source = base(tensor.name)
    guard source?.info.dtype == tensor.base?.info.dtype, source?.info.shape == tensor.base?.info.shape,
      source?.info.byteCount == tensor.base?.info.byteCount
    else { throw wrongBase(tensor) }
    return source
  }

  private func check(_ stored: HashedTensor?, of tensor: TouchedTensor) throws {
    guard try stored?.finish() == tensor.base?.fingerprint else { throw wrongBase(tensor) }
  }

  private func wrongBase(_ tensor: TouchedTensor) -> VPatchError {
    VPatchError(
      .wrongBase, tensor.contributors[0].patch.label,
      "was not made from this base, which differs in the tensor \"\(tensor.name.printable)\"",
      remedy: "the stack needs the model with root \(definition.base.short)")
  }
}
