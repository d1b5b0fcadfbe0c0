import Base
import Checkpoints
import Families
import PatchFormat

/// Creates a patch from a base checkpoint and a tuned one.
package struct Create: Sendable {
  package let base: SafetensorsCheckpoint
  package let tuned: any Checkpoint
  package let options: CreateOptions
  package let work: WorkOptions
  package let layout: ModelLayout

  package init(base: SafetensorsCheckpoint, tuned: any Checkpoint, options: CreateOptions, work: WorkOptions) {
    self.base = base
    self.tuned = tuned
    self.options = options.completed(for: tuned, over: base)
    self.work = work
    layout = ModelLayout.recognise(names: base.tensors.map(\.name))
  }

  /// A tensor of either side, under the base's name.
  package struct Pair: Sendable {
    package let name: String
    package let base: CheckpointTensor?
    package let tuned: CheckpointTensor?
    /// The tuned tensor as the patch makes it: under the base's name, and in the base's dtype if it is cast.
    package let target: TensorInfo?
    let isCast: Bool
    /// Whether the tuned side lacks the tensor, and the patch keeps it: as in the base, or as a copy of the tuned
    /// tensor to which it is tied.
    package let isKept: Bool
  }

  /// Compares, checks the recipe, encodes and writes.
  /// - Throws: `refused` where the changes are not allowed, or there are none.
  package func write(to path: String, replacing: Bool = false) throws -> CreateResult {
    let match = try layoutMatch()
    guard let match, !match.rearranged.isEmpty else { return try write(to: path, replacing: replacing, match) }
    // From here on, the tuned tensors are in the base's arrangement.
    let view = RearrangedCheckpoint(
      tuned, match.rearranged.map { RearrangedCheckpoint.Tensor($0.tensor, of: $0.sources, $0.blocks) })
    return try Create(base: base, tuned: view, options: options, work: work).write(
      to: path, replacing: replacing, match)
  }

  private func write(to path: String, replacing: Bool, _ match: LayoutMatch?) throws -> CreateResult {
    let renames = match?.keys
    let model = ModelPair(base: base, tuned: tuned, keys: renames)
    try requireFineTune(model)
    let pairs = try pair(renames, keeping: kept(model))
    // Side files first, so that their errors come before the weights are read.
    let side = try SideFiles.differences(base, tuned, options, cast: castDType(pairs))
    let compared = try compare(pairs)
    try requireRoots(compared)
    let changed = compared.filter(\.differs)
    let others = try forbidden(compared)
    let dropped = Set(others.map(\.pair.name.bytesKey))
    let kept = changed.filter { !dropped.contains($0.pair.name.bytesKey) }
    guard !kept.isEmpty else {
      throw VPatchError(
        .refused, tuned.path, dropped.isEmpty ? "has the same tensors as the base" : "changes no allowed tensor",
        remedy: "a patch needs at least one tensor that differs")
    }
    let recipe = recognisedRecipe(kept)
    let writer = try PatchWriter(path: path, replacing: replacing)
    let tensors = patchTensors(compared, keeping: Set(kept.map(\.pair.name.bytesKey)))
    let encoded = try PatchBuilder(
      base: base.path, target: tuned.path, work: work, adapter: try adapterContext(kept)
    ).encoded(tensors, writer)
    let changes = kept.map { LayoutChange(name: $0.pair.name, target: $0.pair.target) }
    let isOwnLayout =
      renames == nil && dropped.isEmpty && !kept.contains { $0.pair.isCast } && !pairs.contains(where: \.isKept)
    let baseLayout = FileLayout(of: base)
    // A tuned side in another container has no safetensors headers: the target gets the base's layout.
    let own = isOwnLayout ? (tuned as? SafetensorsCheckpoint).map(FileLayout.init(of:)) : nil
    let target = try own ?? baseLayout.adapted(to: changes, path: path)
    let missing = compared.filter { $0.pair.isKept && !$0.differs }.map(\.pair.name)
    let adapterDigest = try options.adapter?.adapter.weightsDigest
    let annotations = annotations(
      recipe, match, adapterDigest, changed: kept, missing: missing, dropped: others)
    let annex = Annex(
      base: baseLayout, target: target, sideFiles: side.changed, adapter: adapterFiles(encoded, adapterDigest))
    for model in [base, tuned] as [any Checkpoint] { try model.requireStillThere() }
    try options.adapter?.adapter.requireSameBytes()
    let header = try writer.finish(encoded.entries, adapter: encoded.adapter, annex: annex, annotations: annotations)
    return CreateResult(
      header: header, annotations: annotations, layout: layout, recipe: recipe,
      fileSize: writer.fileSize,
      modelBytes: header.tensors.reduce(0) { $0 + ($1.target?.info.byteCount ?? 0) },
      cast: kept.filter(\.pair.isCast).map(\.pair.name),
      casts: casts(compared.filter { !dropped.contains($0.pair.name.bytesKey) }), castConfig: side.castConfig,
      retyped: retyped(kept), kept: missing,
      renamed: renames.map { $0.names.count { !$0.key.isSame(as: $0.value) } } ?? 0,
      rearranged: match?.rearranged.count ?? 0,
      dropped: others.map(\.pair.name), sideFiles: side.changed.map(\.name), sideFilesLeftOut: side.leftOut,
      sideFileSummary: SideFileSummary(annex), sideFilesMissing: side.missing,
      adapter: adapterSummary(encoded, kept))
  }

  /// The patch's entry for each tensor. A tensor that is left out stays as in the base, or is not added.
  private func patchTensors(_ compared: [Compared], keeping kept: Set<String>) -> [PatchBuilder.Tensor] {
    let copies = copies(compared, keeping: kept)
    return compared.compactMap { item in
      let pair = item.pair
      let base = pair.base.map { FingerprintedTensor($0.info, item.baseFingerprint!) }
      guard kept.contains(pair.name.bytesKey) else {
        return base.map { PatchBuilder.Tensor(base: $0, target: $0, content: .same) }
      }
      return PatchBuilder.Tensor(
        base: base, target: pair.target.map { FingerprintedTensor($0, item.targetFingerprint!) },
        content: copies[pair.name.bytesKey].map { .copy(of: $0) }
          ?? .encoded(base: { baseSource(pair) }, target: { tunedSource(pair) }))
    }
  }

  // MARK: Recipes

  /// The changes that are not allowed.
  private func forbidden(_ compared: [Compared]) throws -> [Compared] {
    guard let selection = options.selection else { return [] }
    let (changed, pairs) = (compared.filter(\.differs), compared.map(\.pair))
    // Compares bytes: names that only look alike are different tensors.
    var allowed = Set(selection.filter(changed.map(\.pair.name), in: layout).map(\.bytesKey))
    // Codes are meaningless with other scales, so the whole quantised weight is included.
    let units = QuantisedUnits([pairs.compactMap(\.base?.info), pairs.compactMap(\.target)])
    for unit in units.units where unit.names.contains(where: { allowed.contains($0.bytesKey) }) {
      allowed.formUnion(unit.names.map(\.bytesKey))
    }
    let tied = TiedTensors(compared.map(\.entry)) { allowed.contains($0.bytesKey) }
    let others = changed.filter { !allowed.contains($0.pair.name.bytesKey) && !tied.contains($0.entry) }
    if others.isEmpty || options.dropOthers { return others }
    let first = others.prefix(5).map { "\"\($0.pair.name.printable)\"" }.joined(separator: ", ")
    let more = others.count > 5 ? " and \(others.count - 5) more" : ""
    throw VPatchError(
      .refused, tuned.path,
      "changes \(Format.counted(others.count, "tensor")) outside \(selection.description): \(first)\(more)",
      remedy: "use --drop-others to leave them out of the patch")
  }

  private func recognisedRecipe(_ kept: [Compared]) -> Recipe? {
    if case .recipe(let recipe)? = options.selection { return recipe }
    let all = base.tensors.lazy.map { layout.component(of: $0.name) }
    return Recipe.recognise(changed: kept.map { layout.component(of: $0.pair.name) }, of: all)
  }

  private func annotations(
    _ recipe: Recipe?, _ match: LayoutMatch?, _ adapterDigest: ContentDigest?, changed: [Compared], missing: [String],
    dropped: [Compared]
  ) -> JSON {
    func names(_ list: [String]) -> JSON? { list.isEmpty ? nil : .array(list.map { .string($0) }) }
    return .dictionary([
      "name": options.name.map { .string($0) },
      "note": options.note.map { .string($0) },
      "recipe": recipe.map { .string($0.rawValue) },
      "layout": .string(layout.name),
      "training": options.training,
      "made": .dictionary([
        "writer": .string("vpatch \(vpatchVersion)"),
        "cast": names(changed.filter(\.pair.isCast).map(\.pair.name)),
        "partial": options.isPartial ? .bool(true) : nil,
        "keys": match?.annotation,
        "kept": names(missing),
        "dropped": names(dropped.map(\.pair.name)),
        "adapter": adapterAnnotation(adapterDigest),
        "delta": deltaAnnotation,
      ]),
    ])
  }
}
