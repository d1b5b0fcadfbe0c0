import Base
import Checkpoints
import PatchFormat

/// Moves a patch to another base: its float differences from the old base are added to the new one.
///
/// The rule is that of a sum (spec/stacks.md, section 8) with the new base instead of the old one. An element that the
/// patch does not change keeps the new base's bits. An element in which the two bases agree gets the tuned bits. Any
/// other becomes round(new + (tuned − old)). A quantised weight is moved as a whole if both bases have the same,
/// otherwise not at all. The result is another model, which has not been measured.
package struct Rebase: Sendable {
  package let patch: Patch
  package let old: SafetensorsCheckpoint
  package let new: SafetensorsCheckpoint
  package let work: WorkOptions

  /// - Parameters:
  ///   - old: the base that the patch was made from.
  ///   - new: the base to move it to.
  package init(_ patch: Patch, from old: SafetensorsCheckpoint, onto new: SafetensorsCheckpoint, _ work: WorkOptions) {
    self.patch = patch
    self.old = old
    self.new = new
    self.work = work
  }

  package struct Result: Sendable {
    package let header: PatchHeader
    /// Tensors that equal the patch's target, since both bases have the same.
    package let exact: Int
    /// Tensors whose differences were added to other weights.
    package let moved: Int
    /// Elements that became infinite or NaN although all inputs are finite.
    package let notFinite: [NotFinite]
    package let fileSize: Int
    /// What the patch does to the side files.
    package let sideFileSummary: SideFileSummary
  }

  package func write(to path: String, name: String?, note: String? = nil, replacing: Bool = false) throws -> Result {
    // Checks that the old base is the patch's base, as far as the patch touches it.
    try Rebuild(old, [PatchStep(patch, .forward)], work).checkInput(full: false)
    let newTensors = try fingerprints()
    let newOf = Dictionary(uniqueKeysWithValues: newTensors.map { ($0.info.name.bytesKey, $0) })
    var tensors: [PatchBuilder.Tensor] = []
    let touched = patch.header.touched
    let touchedNames = Set(touched.map(\.name.bytesKey))
    for tensor in newTensors where !touchedNames.contains(tensor.info.name.bytesKey) {
      tensors.append(.init(base: tensor, target: tensor, content: .same))
    }
    try checkUnits(newOf)
    let sizes = touched.map { $0.target?.info.byteCount ?? 0 }
    work.progress.begin("moving", total: sizes.reduce(0, +))
    let moved = try LargestFirst.map(sizes, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      return try self.moved(touched[i], newOf[touched[i].name.bytesKey])
    }
    tensors += moved.map(\.tensor)
    let notFinite = [NotFinite](moved.map(\.tensor.name), moved.map(\.notFinite))
    tensors.sort { $0.name.precedes($1.name) }
    guard !tensors.changed.isEmpty else {
      throw VPatchError(.refused, new.path, "already has what \(patch.label) changes", remedy: "there is nothing to do")
    }
    let writer = try PatchWriter(path: path, replacing: replacing)
    let entries = try PatchBuilder(base: new.path, target: "\(new.path) or \(old.path)", work: work)
      .entries(tensors, writer)
    let layout = try ModelView(new).layout().0
    let target = try layout.adapted(to: tensors.layoutChanges, path: new.path)
    for model in [old, new] { try model.requireSameBytes() }
    let annex = Annex(base: layout, target: target, sideFiles: layout.isDirectory ? patch.annex.sideFiles : [])
    let header = try writer.finish(entries, annex: annex, annotations: annotations(name: name, note: note, notFinite))
    let exact = touched.count { tensor in newOf[tensor.name.bytesKey] == tensor.base }
    return Result(
      header: header, exact: exact, moved: touched.count - exact, notFinite: notFinite,
      fileSize: writer.fileSize, sideFileSummary: SideFileSummary(annex))
  }

  /// Hashes every tensor of the new base, since the patch lists them all.
  private func fingerprints() throws -> [FingerprintedTensor] {
    let digests = try new.fingerprints(of: new.tensors, work, phase: "hashing the new base")
    try new.requireSameBytes()
    return zip(new.tensors, digests).map { FingerprintedTensor($0.info, $1) }
  }

  /// Codes and scales have no difference: a quantised weight that the patch touches must be the same in both bases.
  private func checkUnits(_ newOf: [String: FingerprintedTensor]) throws {
    let sides = [patch.header.tensors.compactMap(\.base?.info), patch.header.tensors.compactMap(\.target?.info)]
    for unit in QuantisedUnits(sides + [new.tensors.map(\.info)]).units where patch.touches(unit) {
      if unit.names.contains(where: { patch.tensor(named: $0)?.base != newOf[$0.bytesKey] }) {
        throw VPatchError(
          .refused, patch.label,
          "\(patch.does(to: unit)), which differs in \(new.path): codes and scales have no difference to add",
          remedy: "create the patch from that base")
      }
    }
  }

  /// - Returns: the tensor, and the number of its elements that became infinite or NaN.
  private func moved(
    _ tensor: PatchTensor, _ new: FingerprintedTensor?
  ) throws -> (tensor: PatchBuilder.Tensor, notFinite: Int) {
    let name = tensor.name
    if new == tensor.base {
      // Copies and factors mean nothing without the patch's other tensors.
      let content: PatchBuilder.Content =
        tensor.isSelfContained
        ? .copied(from: patch, tensor)
        : .encoded(base: { ModelView(self.new).source(name) }, target: { self.tuned(tensor) })
      return (PatchBuilder.Tensor(base: new, target: tensor.target, content: content), 0)
    }
    guard tensor.operation == .change, let old = tensor.base?.info, old.dtype.element.isFloat, old.dtype.isKnown else {
      throw VPatchError(
        .refused, patch.label,
        "\(tensor.operation == .change ? "changes the integers of" : tensor.operation.verb) \"\(name.printable)\", "
          + "which differs in \(self.new.path): there is no difference to add",
        remedy: "create the patch from that base")
    }
    guard let new, new.info == old else {
      let found = new.map { "is \($0.info.typeDescription)" } ?? "is missing"
      throw VPatchError(
        .wrongBase, self.new.path,
        "does not fit \(patch.label): tensor \"\(name.printable)\" \(found) where \(old.typeDescription) is expected"
      )
    }
    if new.info.dtype.isFloat8, let method = try self.new.quantisation ?? self.old.quantisation {
      throw VPatchError(
        .refused, patch.label,
        "changes float8 codes of \"\(name.printable)\", which differ in \(self.new.path), a quantised model "
          + "(\(method)) by its config.json: codes have no difference to add",
        remedy: "create the patch from that base; or, if these are plain numbers, remove quantization_config from "
          + "config.json")
    }
    let counted = source(tensor)
    counted.isCounting = true
    let result = FingerprintedTensor(new.info, try counted.fingerprint())
    let content = PatchBuilder.Content.encoded(
      base: { ModelView(self.new).source(name) }, target: { self.source(tensor) })
    return (
      PatchBuilder.Tensor(base: new, target: result, content: result == new ? .same : content), counted.notFinite
    )
  }

  private func source(_ tensor: PatchTensor) -> RebasedTensor {
    let old = ModelView(old)
    return RebasedTensor(
      new: ModelView(new).source(tensor.name)!, old: old.source(tensor.name)!,
      tuned: tuned(tensor)!)
  }

  /// The patch's target tensor, made from the old base.
  private func tuned(_ tensor: PatchTensor) -> PatchedTensor? {
    let old = ModelView(old)
    return PatchedTensor(tensor, of: patch, .forward) { old.source($0) }
  }

  private func annotations(name: String?, note: String?, _ notFinite: [NotFinite]) -> JSON {
    // Measurements belong to the weights that were measured, not to the moved ones.
    let kept = (patch.annotations.object ?? []).filter { ["recipe", "layout"].contains($0.key) }
    let said = JSON.dictionary([
      "name": (name ?? patch.name).map { .string($0) }, "note": note.map { .string($0) } ?? patch.annotations["note"],
    ])
    return .object(
      said.object! + kept + [
        JSON.Member(
          "made",
          .dictionary([
            "writer": .string("vpatch \(vpatchVersion)"),
            "rebased": .dictionary([
              "from": .string(patch.identity.hex), "base": .string(patch.header.baseRoot.hex),
            ]),
            [NotFinite].key: notFinite.json,
          ]))
      ])
  }
}
