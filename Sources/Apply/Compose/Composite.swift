import Base
import Checkpoints
import PatchFormat

/// The composite of a stack: the patch from its base to its result.
struct Composite {
  package let merge: Merge
  package let patches: [Patch]
  package let record: StackRecord
  /// The stack's base.
  package let base: ModelView
  package let work: WorkOptions

  init(_ merge: Merge, patches: [Patch], record: StackRecord, base: ModelView, work: WorkOptions) {
    self.merge = merge
    self.patches = patches
    self.record = record
    self.base = base
    self.work = work
  }

  /// Merges, encodes and writes the patch. Verifies what it reads: the base's touched tensors and each member's.
  /// - Returns: elements that became infinite or NaN. The patch's annotations record them too.
  /// - Throws: `refused` where the result equals the base.
  package func write(to path: String, replacing: Bool = false) throws -> [NotFinite] {
    let names = merge.touched
    let outcomes = try outcomes(names)
    let results = outcomes.map(\.tensor)
    let notFinite = [NotFinite](names, outcomes.map(\.notFinite))
    let resultOf = Dictionary(uniqueKeysWithValues: zip(names.map(\.bytesKey), results))
    let baseTensors = patches[0].header.tensors.compactMap(\.base)
    let baseNames = Set(baseTensors.map(\.info.name.bytesKey))
    var tensors = baseTensors.map { tensor in
      guard let result = resultOf[tensor.info.name.bytesKey], result != tensor else {
        return PatchBuilder.Tensor(base: tensor, target: tensor, content: .same)
      }
      return PatchBuilder.Tensor(base: tensor, target: result, content: content(tensor.info.name))
    }
    for (name, result) in zip(names, results) where !baseNames.contains(name.bytesKey) {
      if let result { tensors.append(.init(base: nil, target: result, content: content(name))) }
    }
    tensors.sort { $0.name.precedes($1.name) }
    guard !tensors.changed.isEmpty else {
      throw VPatchError(
        .refused, record.name.map { "the stack \"\($0.printable)\"" } ?? "the stack", "changes nothing",
        remedy: merge.definition.remedyOfNothing)
    }
    let writer = try PatchWriter(path: path, replacing: replacing)
    // The inputs are the base and patches, whose chunks have digests. So only the base can change meanwhile.
    let entries = try PatchBuilder(base: base.path, target: base.path, work: work).entries(tensors, writer)
    let layout = try base.layout().0
    let target = try layout.adapted(to: tensors.layoutChanges, path: base.path)
    let annex = Annex(base: layout, target: target, sideFiles: layout.isDirectory ? sideFiles.agreed : [])
    try base.checkpoint.requireSameBytes()
    _ = try writer.finish(entries, annex: annex, annotations: annotations(tensors, notFinite))
    return notFinite
  }

  /// The side files as changed by the members with an effect.
  package var sideFiles: MemberSideFiles { MemberSideFiles(merge.participants) }

  /// The new fingerprint of each tensor, nil where it is removed; and the number of elements that became infinite or
  /// NaN.
  private func outcomes(_ names: [String]) throws -> [(tensor: FingerprintedTensor?, notFinite: Int)] {
    let sizes = names.map { merge.target($0)?.byteCount ?? 0 }
    work.progress.begin("merging", total: sizes.reduce(0, +))
    return try LargestFirst.map(sizes, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      // A tensor that only one patch decides has that patch's fingerprint. It is verified on rebuild.
      if let copied = merge.copied(names[i]) { return (copied.tensor.target, 0) }
      guard let info = merge.target(names[i]) else { return (nil, 0) }
      let outcome = try merge.outcome(names[i], base: base.repeatable(names[i], threads: work.threads))
      return (FingerprintedTensor(info, outcome.fingerprint), outcome.notFinite)
    }
  }

  private func content(_ name: String) -> PatchBuilder.Content {
    if let (patch, tensor) = merge.copied(name), tensor.isSelfContained { return .copied(from: patch, tensor) }
    return .encoded(
      base: { base.source(name) },
      target: { merge.target(name) == nil ? nil : try merge.source(name) { base.source($0) } })
  }

  private func annotations(_ tensors: [PatchBuilder.Tensor], _ notFinite: [NotFinite]) -> JSON {
    let (layout, recipe) = tensors.annotated
    return .dictionary([
      "name": record.name.map { .string($0) }, "recipe": recipe, "layout": layout,
      "made": .dictionary([
        "writer": .string("vpatch \(vpatchVersion)"), "stack": record.definition.json(),
        [NotFinite].key: notFinite.json,
      ]),
    ])
  }
}
