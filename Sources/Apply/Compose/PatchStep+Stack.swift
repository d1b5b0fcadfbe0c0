import Base
import PatchFormat

extension StackDefinition {
  /// Whether the stack is one unscaled patch: then its result is that patch's target.
  package var isOnePatch: Bool {
    members.count == 1 && members[0].scale == 1 && method == .sum
  }
}

extension [PatchStep] {
  /// The step that applies a stack to its base.
  /// - Parameter base: the stack's base, or a model that becomes the base through patches.
  package static func stack(
    _ definition: StackDefinition, name: String?, over base: ModelView, _ library: any PatchLibrary,
    _ work: WorkOptions
  ) throws -> [PatchStep] {
    guard !definition.members.isEmpty else {
      throw VPatchError(
        .refused, name.map { "the stack \"\($0.printable)\"" }, "has no members", remedy: "vpatch stack add NAME PATCH")
    }
    if definition.isOnePatch { return [PatchStep(try library.patch(definition.members[0].identity), .forward)] }
    let patches = try definition.members.map { try library.patch($0.identity) }
    let record = StackRecord(name: name, definition, patches: patches)
    // Checked even if its composite was kept: an earlier version accepted some stacks that are refused now.
    let merge = try Merge(definition, patches: patches)
    try merge.checkFloat8(of: base.checkpoint)
    let composite = Composite(merge, patches: patches, record: record, base: base, work: work)
    let disputed = base.checkpoint.isDirectory ? composite.sideFiles.disputed : []
    if let kept = try library.composite(of: definition), let notFinite = [NotFinite](of: kept) {
      return [
        PatchStep(
          kept, .forward, stack: record, findings: Findings(notFinite: notFinite, disputedFiles: disputed))
      ]
    }
    var findings = Findings(disputedFiles: disputed)
    let made = try library.keepComposite(of: definition) { path, replacing in
      findings.notFinite = try composite.write(to: path, replacing: replacing)
    }
    return [PatchStep(made, .forward, stack: record, findings: findings)]
  }
}
