import Base
import Checkpoints
import PatchFormat

/// A patch and the direction in which it is applied.
package struct PatchStep: Sendable {
  package let patch: Patch
  package let direction: Direction
  /// The stack whose composite the patch is; nil where it is no composite.
  package let stack: StackRecord?
  /// Findings about its result.
  package let findings: Findings

  /// - Parameter findings: nil: those in the patch's annotations.
  package init(_ patch: Patch, _ direction: Direction, stack: StackRecord? = nil, findings: Findings? = nil) {
    self.patch = patch
    self.direction = direction
    self.stack = stack
    self.findings = findings ?? Findings(notFinite: [NotFinite](of: patch) ?? [])
  }

  /// The root of its input.
  package var from: ContentDigest { direction == .forward ? patch.header.baseRoot : patch.header.targetRoot }
  /// The root of its output.
  package var to: ContentDigest { direction == .forward ? patch.header.targetRoot : patch.header.baseRoot }

  var inputLayout: FileLayout { direction == .forward ? patch.annex.base : patch.annex.target }
  var outputLayout: FileLayout { direction == .forward ? patch.annex.target : patch.annex.base }

  package func input(_ tensor: PatchTensor) -> FingerprintedTensor? {
    direction == .forward ? tensor.base : tensor.target
  }
  package func output(_ tensor: PatchTensor) -> FingerprintedTensor? {
    direction == .forward ? tensor.target : tensor.base
  }

  /// The tensor after the step, if the step changes it; nil otherwise, and where it is removed.
  package func output(_ name: String) -> FingerprintedTensor? {
    patch.tensor(named: name).flatMap { $0.operation == .same ? nil : output($0) }
  }

  /// All tensors of the step's output, in ascending order of name.
  package var outputs: [FingerprintedTensor] { patch.header.tensors.compactMap(output) }

  /// The side files that it replaces: the required contents, and the new ones.
  package var sideFiles: [(name: String, from: [UInt8]?, to: [UInt8]?)] {
    patch.annex.sideFiles.map {
      direction == .forward ? ($0.name, $0.base, $0.target) : ($0.name, $0.target, $0.base)
    }
  }

  var layoutChanges: [LayoutChange] {
    patch.header.touched.map { LayoutChange(name: $0.name, target: output($0)?.info) }
  }
}

extension [Patch] {
  /// - Throws: `refused` where a patch is given twice.
  package func requireDistinct() throws {
    for (i, patch) in enumerated() {
      if let earlier = self[..<i].first(where: { $0.identity == patch.identity }) {
        let same = earlier.label == patch.label ? "is given twice" : "is the same patch as \(earlier.label)"
        throw VPatchError(.refused, patch.label, same, remedy: "a patch is applied once")
      }
    }
  }
}

extension [PatchStep] {
  /// The patches as a chain, in the given order.
  /// - Throws: `refused` where they do not form a chain. The error says what they are instead.
  package static func chain(_ patches: [Patch]) throws -> [PatchStep] {
    try patches.requireDistinct()
    for (earlier, later) in zip(patches, patches.dropFirst()) where earlier.header.targetRoot != later.header.baseRoot {
      throw notAChain(patches, earlier, later)
    }
    return patches.map { PatchStep($0, .forward) }
  }

  private static func notAChain(_ patches: [Patch], _ earlier: Patch, _ later: Patch) -> VPatchError {
    let siblings = patches.filter { $0.header.baseRoot == patches[0].header.baseRoot }
    if siblings.count == patches.count {
      return VPatchError(
        .refused, later.label,
        "was made from the same base as \(earlier.label), not on top of it; such patches form a stack",
        remedy: "'vpatch apply' combines them, 'vpatch stack new' saves them as a stack")
    }
    if siblings.count > 1, let other = patches.first(where: { $0.header.baseRoot != siblings[0].header.baseRoot }) {
      return VPatchError(
        .refused, other.label,
        "is made from another base than \(siblings[0].label) and \(siblings[1].label): a stack has patches of one base",
        remedy: "'vpatch compose' combines a chain into one patch, 'vpatch rebase' moves a patch to another base")
    }
    if let order = sorted(patches) {
      return VPatchError(
        .refused, later.label, "does not follow \(earlier.label): the chain is in the wrong order",
        remedy: "give them in this order: \(order.map(\.label).joined(separator: " "))")
    }
    return VPatchError(
      .refused, later.label,
      "does not follow \(earlier.label): it was made from \(later.header.baseRoot.short), but that one makes "
        + earlier.header.targetRoot.short, remedy: "see both with 'vpatch show'")
  }

  /// The only order in which each follows the one before; nil where there is none.
  private static func sorted(_ patches: [Patch]) -> [Patch]? {
    let targets = Set(patches.map(\.header.targetRoot))
    let firsts = patches.filter { !targets.contains($0.header.baseRoot) }
    guard firsts.count == 1 else { return nil }
    var order = firsts
    while order.count < patches.count {
      let next = patches.filter { $0.header.baseRoot == order.last!.header.targetRoot }
      guard next.count == 1, !order.contains(where: { $0.identity == next[0].identity }) else { return nil }
      order += next
    }
    return order
  }
}
