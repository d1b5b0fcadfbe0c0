import Base
import Checkpoints
import PatchFormat

/// Makes a patch from a model and new values of some of its tensors, with the same dtypes and shapes.
package struct TunedTensors: Sendable {
  /// A tensor and its new values. The source closure is called from several threads, each of which gets its own source.
  package struct Change: Sendable {
    package let name: String
    package let source: @Sendable () -> any TensorSource

    package init(name: String, source: @escaping @Sendable () -> any TensorSource) {
      self.name = name
      self.source = source
    }
  }

  package let base: ModelView
  package let work: WorkOptions

  /// - Parameter base: its patches count as part of the base.
  package init(base: ModelView, work: WorkOptions) {
    self.base = base
    self.work = work
  }

  /// The fingerprints of all tensors of the base, computed from their bytes.
  package func fingerprints() throws -> [FingerprintedTensor] {
    let tensors = base.checkpoint.tensors
    work.progress.begin("hashing", total: base.checkpoint.totalBytes)
    let found = try LargestFirst.map(tensors.map(\.info.byteCount), threads: work.threads) { i in
      defer { work.progress.advance(tensors[i].info.byteCount) }
      return try base.source(tensors[i].name).map { FingerprintedTensor($0.info, try $0.fingerprint()) }
    }
    try base.checkpoint.requireSameBytes()
    return found.compactMap(\.self)
  }

  /// Encodes and writes.
  /// - Parameters:
  ///   - fingerprints: those of the base.
  ///   - trained: factors from which some changes follow; these are added to the changes.
  ///   - annotations: of the patch. Recipe, layout and writer are added.
  /// - Throws: `refused` where nothing differs.
  package func write(
    _ changes: [Change], _ trained: TrainedAdapter? = nil, over fingerprints: [FingerprintedTensor], annotations: JSON,
    recipe: Recipe?, to path: String, replacing: Bool = false
  ) throws -> PatchHeader {
    let changes = changes + (trained?.changes(of: base) ?? [])
    let changeOf = Dictionary(uniqueKeysWithValues: changes.map { ($0.name.bytesKey, $0) })
    let changing = fingerprints.filter { changeOf[$0.info.name.bytesKey] != nil }
    work.progress.begin("hashing", total: changing.reduce(0) { $0 + $1.info.byteCount })
    let tensors = try LargestFirst.map(fingerprints.map(\.info.byteCount), threads: work.threads) { i in
      let tensor = fingerprints[i]
      guard let change = changeOf[tensor.info.name.bytesKey] else {
        return PatchBuilder.Tensor(base: tensor, target: tensor, content: .same)
      }
      defer { work.progress.advance(tensor.info.byteCount) }
      let source = change.source()
      precondition(source.info == tensor.info, "tuning keeps dtypes and shapes")
      let target = FingerprintedTensor(source.info, try source.fingerprint())
      guard target != tensor else { return PatchBuilder.Tensor(base: tensor, target: tensor, content: .same) }
      return PatchBuilder.Tensor(
        base: tensor, target: target, content: .encoded(base: { base.source(tensor.info.name) }, target: change.source))
    }
    guard !tensors.changed.isEmpty else {
      throw VPatchError(
        .refused, path, "would be empty: rounded to the base's dtype, no tuned weight differs from the base",
        remedy: "use a higher learning rate, or more steps")
    }
    let writer = try PatchWriter(path: path, replacing: replacing)
    let encoded = try PatchBuilder(
      base: base.path, target: path, work: work, adapter: try trained?.context(work)
    ).encoded(tensors, writer)
    let layout = try base.layout().0
    let digest = try trained?.adapter.weightsDigest
    let files = encoded.isAdapterWhole ? digest.flatMap { trained?.adapter.files($0) } : nil
    let annex = Annex(base: layout, target: layout, sideFiles: [], adapter: files)
    let (layoutName, recognised) = tensors.annotated
    let all = annotations.setting("recipe", to: recipe.map { .string($0.rawValue) } ?? recognised)
      .setting("layout", to: layoutName)
      .setting(
        "made",
        to: .dictionary([
          "writer": .string("vpatch \(vpatchVersion)"),
          "adapter": digest.flatMap { trained?.adapter.annotation($0, base: .trained, .byVpatch) },
        ]))
    try base.checkpoint.requireSameBytes()
    return try writer.finish(encoded.entries, adapter: encoded.adapter, annex: annex, annotations: all)
  }
}
