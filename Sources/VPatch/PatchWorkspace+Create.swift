import Apply
import PatchFormat
import Workspace

/// The components that a fine-tune may change.
public enum Recipe: String, Sendable, CaseIterable {
  /// The self-attention projections q, k, v, o of the language model.
  case saProj = "sa-proj"
  /// The self-attention projections q, k, v.
  case saQKV = "sa-qkv"
  /// The self-attention output projections.
  case attentionOutput = "attention-output"
  /// The gate and up projections of the MLPs and of experts.
  case gateUp = "gate-up"
  /// The gate and up projections of the MLPs without experts.
  case gateUpDense = "gate-up-dense"
  /// The gate and up projections of experts, including shared experts.
  case gateUpExperts = "gate-up-experts"
  /// The gate, up and down projections of the MLPs and of experts.
  case mlp
  /// The down projections of the MLPs and of experts.
  case down
  /// The gate, up and down projections of experts.
  case experts
  /// The routers, which choose the experts of a token.
  case router
  /// The norms of the language model.
  case norms
  /// The embeddings and the output head of the language model.
  case embeddings
  /// The whole language model.
  case llm
  /// The projector between vision tower and language model.
  case projector
  /// The vision tower.
  case vision
  /// Every tensor.
  case full

  /// Both have the same words.
  var inner: Apply.Recipe { Apply.Recipe(rawValue: rawValue)! }
}

/// How a patch is created.
public struct CreationOptions: Sendable {
  /// Require that only this recipe's tensors changed; nil for any.
  public var recipe: Recipe?
  /// Leave other changes out instead of refusing them.
  public var dropOthers = false
  /// Cast floats of another dtype to the base's, to nearest, ties to even.
  public var castToBase = false
  /// Match tensors whose names, or whose arrangement, follow another layout.
  public var mapKeys = false
  /// The tuned side has the trained tensors alone; the others are unchanged.
  public var isPartial = false
  /// In a checkpoint of a training run: what the names of the model's tensors begin with; nil to find it.
  public var prefix: String?
  /// The folder of the LoRA adapter that was merged into the tuned checkpoint; nil for none.
  public var adapter: String?
  /// Keep the whole adapter in the patch, even if the patch is smaller without.
  public var keepsAdapter = false
  /// Name of the patch, and its alias in the store.
  public var name: String?
  /// Note to keep in the patch.
  public var note: String?
  /// Replace an existing file.
  public var replacesExisting = false
  /// Add the patch to the store.
  public var isStored = true

  /// The defaults.
  public init() {}
}

extension PatchWorkspace {
  /// Creates a patch from a base and a tuned checkpoint.
  /// - Parameters:
  ///   - base: the checkpoint before fine-tuning.
  ///   - tuned: the checkpoint after it (safetensors, distributed, or of torch.save), or the folder of a LoRA adapter
  ///     to merge.
  ///   - output: the patch file, `.vpatch`.
  ///   - options: what may have changed, and where the patch is kept.
  /// - Returns: the patch as written. Applying it to `base` gives `tuned` bit for bit.
  /// - Throws: `refused` for a model that is not a fine-tune of the base, or an output that exists; `io`; `invalid`.
  public func create(
    base: String, tuned: String, output: String, _ options: CreationOptions = CreationOptions()
  ) throws(PatchError) -> PatchInfo {
    try withPatchError {
      let base = try workspace.checkpoint(base)
      let (tuned, plan) = try workspace.tuned(tuned, adapter: options.adapter, prefix: options.prefix, over: base)
      var inner = CreateOptions()
      inner.selection = options.recipe.map { .recipe($0.inner) }
      inner.dropOthers = options.dropOthers
      inner.castToBase = options.castToBase
      inner.mapKeys = options.mapKeys
      inner.isPartial = options.isPartial
      inner.adapter = plan
      inner.keepsAdapter = options.keepsAdapter
      inner.name = options.name
      inner.note = options.note
      let create = Create(base: base, tuned: tuned, options: inner, work: workspace.work)
      let new = NewPatch(
        path: output, name: options.name, force: options.replacesExisting, isStored: options.isStored)
      let inputs = base.inputs + tuned.inputs + (plan?.adapter.inputs ?? [])
      _ = try workspace.write(new, inputs: inputs, base: base.path) { path, _ in
        try create.write(to: path, replacing: options.replacesExisting)
      }
      return try PatchInfo(Patch(path: output, threads: workspace.work.threads))
    }
  }

  /// Writes the LoRA adapter that a patch was made from: the two files that PEFT saved, byte for byte.
  /// - Parameters:
  ///   - patch: a file, or its name in the store.
  ///   - folder: a new folder.
  /// - Throws: `refused` for a patch that does not hold all of an adapter, or a folder that exists; `io`.
  public func exportAdapter(_ patch: String, to folder: String) throws(PatchError) {
    try withPatchError { _ = try workspace.patch(patch).exportAdapter(to: folder) }
  }

  /// Opens and verifies a patch.
  /// - Parameter patch: a file, or its name in the store.
  /// - Returns: what the patch says about itself.
  /// - Throws: `io` if it does not exist; `invalid` if it is damaged.
  public func patch(_ patch: String) throws(PatchError) -> PatchInfo {
    try withPatchError { try PatchInfo(workspace.patch(patch)) }
  }

  /// Checks a patch with the models that it belongs to; writes nothing.
  /// - Parameters:
  ///   - patch: a file, or its name in the store.
  ///   - base: rebuilds the target from it in memory, and compares all fingerprints.
  ///   - target: the same the other way.
  ///   - recipe: requires that only its tensors are touched.
  ///   - full: hash the untouched tensors too.
  /// - Returns: what was checked, such as "base", with details.
  /// - Throws: `wrongBase`, `mismatch` or `refused` for the first check that fails.
  @discardableResult
  public func verify(
    _ patch: String, base: String? = nil, target: String? = nil, recipe: Recipe? = nil, full: Bool = false
  ) throws(PatchError) -> [(check: String, detail: String)] {
    try withPatchError {
      try workspace.verify(
        workspace.patch(patch), base: base, target: target, recipe: recipe?.inner, full: full
      ).map { ($0.what, $0.detail) }
    }
  }

  /// Makes one patch of a chain, bit for bit.
  /// - Parameters:
  ///   - chain: patches, each made on top of the one before.
  ///   - base: the base of the first; needed if several patches change one tensor.
  ///   - output: the patch file, `.vpatch`.
  ///   - name: name of the new patch, and its alias in the store; nil for none.
  /// - Returns: the patch as written.
  /// - Throws: `refused` for patches that are not a chain, or if the base is needed.
  public func compose(
    _ chain: [String], base: String? = nil, output: String, name: String? = nil
  ) throws(PatchError) -> PatchInfo {
    try withPatchError {
      let patches = try chain.map { try workspace.patch($0) }
      let base = try base.map { try workspace.checkpoint($0) }
      let squash = try Squash(patches, base: base, workspace.work)
      _ = try workspace.write(
        NewPatch(path: output, name: name), inputs: patches.map(\.file) + (base?.inputs ?? []),
        base: base?.path
      ) { path, _ in try squash.write(to: path, name: name, note: nil, replacing: false) }
      return try PatchInfo(Patch(path: output, threads: workspace.work.threads))
    }
  }
}
