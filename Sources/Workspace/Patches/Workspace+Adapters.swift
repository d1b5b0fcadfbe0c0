import Apply
import Base
import Catalogue

extension Workspace {
  /// Merges a LoRA adapter into its base, and adds the patch to the store. The patch keeps the whole adapter.
  /// - Parameters:
  ///   - path: the adapter's folder.
  ///   - base: the base that it was trained on.
  ///   - force: take the alias from another patch that has it.
  /// - Throws: `refused` for an adapter that does not fit the base, or an alias that a patch of another adapter has.
  package func add(
    adapter path: String, base: String, alias: String? = nil, force: Bool = false, tags: [String] = []
  ) throws -> Addition {
    let base = try checkpoint(base)
    let plan = try AdapterPlan(PEFTAdapter(path: path), over: base)
    let store = try store.open(create: true)
    if let alias, !force, try !isMade(alias, of: plan.adapter, in: store) { try store.requireFree(alias) }
    var options = CreateOptions()
    options.adapter = plan
    options.keepsAdapter = true
    options.name = try alias ?? Path.name(Path.absolute(path))
    let create = Create(base: base, tuned: AdaptedCheckpoint(plan), options: options, work: work)
    let admission = Admission(alias: alias, tags: tags, basePath: try Path.absolute(base.path))
    return try store.addMade(as: admission, threads: work.threads) { _ = try create.write(to: $0) }
  }

  /// Whether the patch with this name was made from the same files of an adapter, wherever they were.
  private func isMade(_ alias: String, of adapter: PEFTAdapter, in store: Store) throws -> Bool {
    guard let identity = try store.identity(ofAlias: alias) else { return false }
    let made = try store.patch(identity, threads: work.threads).annotations["made"]?["adapter"]
    return try made?["weights"]?.string == adapter.weightsDigest.hex
      && made?["config"]?.string == adapter.configDigest.hex
  }
}
