import Apply
import Base
import Catalogue
import Checkpoints
import Measure
import PatchFormat
import Report

/// A patch or a stack to report on, with what the store knows of it.
package enum ReportSubject {
  case patch(ReportedPatch)
  case stack(StackInput)

  package init(_ text: String, in workspace: Workspace) throws {
    switch try workspace.thing(named: text) {
    case .stackFile, .storedStack, .unknown(.file, _): self = .stack(try StackInput(text, in: workspace))
    case .patchFile, .storedPatch, .unknown:
      let patch = try workspace.patch(text)
      self = .patch(ReportedPatch(patch, name: try workspace.store.existing()?.label(patch.identity)))
    }
  }

  /// The files that are read.
  package var inputs: [InputFile] {
    switch self {
    case .patch(let subject): [subject.patch.file]
    case .stack(let input): input.patches.map(\.file)
    }
  }
}

extension PatchReport {
  package init(_ subject: ReportedPatch, base: SafetensorsCheckpoint?, in workspace: Workspace) throws {
    self.init(
      subject, lineage: try ReportLineage(of: subject.patch, workspace.store.existing()),
      change: try base.map { try WeightChange(subject.patch, base: $0, workspace.work) })
  }
}

extension StackReport {
  package init(_ input: StackInput, base: SafetensorsCheckpoint?, in workspace: Workspace) throws {
    let (definition, existing) = (input.definition, try workspace.store.existing())
    let library = StoreLibrary(input.patches, in: workspace, isLeasing: false)
    let members = try definition.members.map { member in
      let patch = try library.patch(member.identity)
      return Member(ReportedPatch(patch, name: try existing?.label(patch.identity)), scale: member.scale)
    }
    let stored = try input.name.flatMap { try existing?.stackIfAny($0) }
    self.init(
      name: input.name ?? definition.identity.short,
      version: stored?.definition == definition ? stored?.version : nil, definition: definition,
      composite: try existing?.composite(stackIdentity: definition.identity), members: members,
      measured: try existing.flatMap { try ForgettingReport.measured(ofStack: definition, $0) },
      lineage: try existing.map { try ReportLineage(of: definition, members, $0) },
      change: try base.map {
        try WeightChange(definition, patches: members.map(\.subject.patch), base: $0, workspace.work)
      })
  }
}

// MARK: Lineage

extension ReportLineage {
  fileprivate init(of patch: Patch, _ store: Store?) throws {
    let header = patch.header
    guard let store else {
      let base = header.tensors.compactMap(\.base)
      self.init(
        base: Entry(
          title: header.baseRoot.short,
          details: [
            PatchSummary(header).layout.name, Format.counted(base.count, "tensor"),
            Format.bytes(base.reduce(0) { $0 + $1.info.byteCount }),
          ]), note: "There is no store, so other patches of this base are not known.")
      return
    }
    let related = try store.relatedPatches(ofPatch: header.identity, base: header.baseRoot, target: header.targetRoot)
    self.init(
      base: Entry(related), chain: related.chain.map(Entry.init), after: related.after.map(Entry.init),
      siblings: related.siblings.map(Entry.init), stacks: try related.stacks.map { try Entry($0, store) },
      note: try store.contains(header.identity) ? nil : "The patch is not in the store; the patches around it are.")
  }

  fileprivate init(of stack: StackDefinition, _ members: [StackReport.Member], _ store: Store) throws {
    let related = try store.relatedPatches(ofStack: stack)
    self.init(
      base: Entry(related), chain: related.chain.map(Entry.init),
      siblings: members.map { member in
        Entry(
          title: MemberReference(name: member.subject.name, scale: member.scale).text,
          details: [member.subject.patch.annotations["recipe"]?.string, member.subject.patch.identity.short]
            .compactMap { $0 })
      }, stacks: try related.stacks.map { try Entry($0, store) })
  }
}

extension ReportLineage.Entry {
  /// The base. Of its path only the last name is shown, since pages are shared.
  fileprivate init(_ related: RelatedPatches) {
    let name = related.base?.paths.first.map(Path.name)
    self.init(
      title: name ?? related.root.short,
      details: [
        name == nil ? nil : related.root.short, related.base?.layout,
        related.base?.tensors.map { Format.counted($0, "tensor") },
        related.base?.bytes.map(Format.bytes),
      ].compactMap { $0 })
  }

  fileprivate init(_ patch: StoredPatch) {
    let summary = patch.summary
    let known: [String?] =
      summary.status == .unmeasured
      ? [summary.status.rawValue]
      : [
        summary.learning == nil ? nil : "learning \(summary.learningText)",
        summary.forgetting == nil ? nil : "forgetting \(summary.forgettingText)",
      ]
    self.init(
      title: patch.label ?? patch.identity.short,
      details: ([patch.identity.short, patch.recipe, Format.bytes(patch.fileBytes)] + known).compactMap { $0 })
  }

  fileprivate init(_ stack: StoredStack, _ store: Store) throws {
    let members = try stack.definition.members.map { member in
      MemberReference(name: try store.label(member.identity) ?? member.identity.short, scale: member.scale).text
    }
    self.init(
      title: "\(stack.name) v\(stack.version)",
      details: [stack.definition.method.text, members.joined(separator: " + ")])
  }
}
