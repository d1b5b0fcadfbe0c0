import Base
import Checkpoints
import PatchFormat

/// The patch that a stack is: from its base to its result.
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

  /// Merges, encodes and writes. What is read is verified: the base's touched tensors, and each member's.
  /// - Returns: what came out infinite or NaN; the patch's annotations say it too.
  /// - Throws: `refused` where the result is the base.
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
    // The result is made of the base, and of patches, whose chunks carry digests: it is the base that may change.
    let entries = try PatchBuilder(base: base.path, target: base.path, work: work).entries(tensors, writer)
    let layout = try base.layout().0
    let target = try layout.adapted(to: tensors.layoutChanges, path: base.path)
    let annex = Annex(base: layout, target: target, sideFiles: layout.isDirectory ? sideFiles.agreed : [])
    try base.checkpoint.requireSameBytes()
    _ = try writer.finish(entries, annex: annex, annotations: annotations(tensors, notFinite))
    return notFinite
  }

  /// The files beside the model, as the members that take part have them.
  package var sideFiles: MemberSideFiles { MemberSideFiles(merge.participants) }

  /// What becomes of each tensor, nil where it goes; and how many elements came out infinite or NaN.
  private func outcomes(_ names: [String]) throws -> [(tensor: FingerprintedTensor?, notFinite: Int)] {
    let sizes = names.map { merge.target($0)?.byteCount ?? 0 }
    work.progress.begin("merging", total: sizes.reduce(0, +))
    return try LargestFirst.map(sizes, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      // What one patch alone decides is as that patch promises, and verified when it is rebuilt.
      if let copied = merge.copied(names[i]) { return (copied.tensor.target, 0) }
      guard let info = merge.target(names[i]) else { return (nil, 0) }
      let outcome = try merge.outcome(names[i], base: base.repeatable(names[i], threads: work.threads))
      return (FingerprintedTensor(info, outcome.fingerprint), outcome.notFinite)
    }
  }

  private func content(_ name: String) -> PatchBuilder.Content {
    if let (patch, tensor) = merge.copied(name) { return .copied(from: patch, tensor) }
    return .encoded(
      base: { base.source(name) },
      target: { merge.target(name) == nil ? nil : try merge.source(name) { base.source(name) } })
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
