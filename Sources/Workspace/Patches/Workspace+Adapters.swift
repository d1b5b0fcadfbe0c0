import Apply
import Base
import Catalogue

extension Workspace {
  /// Merges a LoRA adapter into its base, and adds the patch to the store. The patch keeps the whole adapter.
  /// - Parameters:
  ///   - path: the adapter's folder.
  ///   - base: the base that it was trained on.
  /// - Throws: `refused` for an adapter that does not fit the base.
  package func add(adapter path: String, base: String, alias: String? = nil, tags: [String] = []) throws -> Addition {
    let base = try checkpoint(base)
    let plan = try AdapterPlan(PEFTAdapter(path: path), over: base)
    var options = CreateOptions()
    options.adapter = plan
    options.keepsAdapter = true
    options.name = try alias ?? Path.name(Path.absolute(path))
    let create = Create(base: base, tuned: AdaptedCheckpoint(plan), options: options, work: work)
    let admission = Admission(alias: alias, tags: tags, basePath: try Path.absolute(base.path))
    return try store.open(create: true).addMade(as: admission, threads: work.threads) { _ = try create.write(to: $0) }
  }
}
