import Apply
import Base
import Checkpoints
import Model
import PatchFormat

extension TrainingRun {
  /// Calls `body` with the trained factors as PEFT would save them, in a temporary folder.
  /// - Parameter path: the folder is in the same folder as this one.
  func withAdapter<T>(_ lora: LoRAOptions, beside path: String, _ body: (TrainedAdapter) throws -> T) throws -> T {
    // Never committed, so it is removed at the end.
    let folder = try OutputDirectory(path: path + ".adapter")
    defer { withExtendedLifetime(folder) {} }
    try adapter(lora).write(into: folder.temporaryPath)
    let adapter = try PEFTAdapter(path: folder.temporaryPath)
    let indices = Dictionary(
      uniqueKeysWithValues: adapter.checkpoint.tensors.enumerated().map { ($1.name.bytesKey, $0) })
    let rules = zip(plan.targets, plan.factors).map { target, factors in
      (
        tensor: target.info,
        rule: factors.rule(
          a: indices[factors.savedName(of: factors.a).bytesKey]!, b: indices[factors.savedName(of: factors.b).bytesKey]!
        )
      )
    }
    return try body(TrainedAdapter(adapter, rules: rules, keepsAll: lora.keepsAdapter))
  }

  private func adapter(_ lora: LoRAOptions) -> NewAdapter {
    var settings = NewAdapter.Settings(rank: lora.rank, alpha: lora.alpha)
    settings.isRankStabilized = lora.isRankStabilized
    settings.dropout = lora.dropout
    settings.baseModel = model.weights.view.path
    return NewAdapter(
      settings,
      layers: plan.factors.map { factors in
        NewAdapter.Layer(
          module: factors.module, rank: factors.rank, inputs: factors.a.columns, outputs: factors.b.rows,
          a: { $0.update(from: factors.a.tuning!.master.start, count: factors.a.count) },
          b: { $0.update(from: factors.b.tuning!.master.start, count: factors.b.count) })
      }, modules: AdapterModules(model.weights.view.checkpoint).all)
  }
}

extension LowRankFactors {
  /// The name of a factor in an adapter's file.
  fileprivate func savedName(of factor: Parameter) -> String { "base_model.model.\(factor.name)" }
}
