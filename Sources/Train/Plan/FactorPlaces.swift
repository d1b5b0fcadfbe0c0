import Apply
import Base
import Model

/// The matrices of a selection that factors can tune, and the names that their modules have in transformers.
struct FactorPlaces {
  let targets: [Parameter]
  let leftOut: [String]
  private let modules: [String]

  /// - Parameter selected: tensors of a recipe or a pattern.
  /// - Throws: `refused` where none is a matrix of a decoder layer, a rank is larger than a matrix, or a matrix is a part
  ///   of a parameter in memory, so that no adapter could name it.
  init(_ model: LanguageModel, _ selected: [Parameter], _ lora: LoRAOptions) throws {
    let path = model.weights.view.path
    let able = Set(model.matrices.map(\.name.bytesKey))
    let targets = selected.filter { able.contains($0.name.bytesKey) }
    guard !targets.isEmpty else {
      throw VPatchError(
        .refused, path,
        "has no matrix of a decoder layer among the \(Format.counted(selected.count, "selected tensor")), and --lora "
          + "tunes factors of these", remedy: "use a recipe such as sa-proj, gate-up or mlp, or leave --lora out")
    }
    if let small = targets.first(where: { min($0.rows, $0.columns) < lora.rank }) {
      throw VPatchError(
        .refused, path,
        "has \"\(small.name.printable)\" of \(small.info.typeDescription), and a rank of \(lora.rank) is larger than "
          + "its smaller side", remedy: "use --lora \(targets.map { min($0.rows, $0.columns) }.min()!) or less")
    }
    let names = AdapterModules(model.weights.view.checkpoint)
    modules = try targets.map { target in
      guard let module = names.module(of: target.name) else {
        throw VPatchError(
          .refused, path,
          "has \"\(target.name.printable)\", which is a part of a larger parameter in transformers, so that no adapter "
            + "can name it", remedy: "use a recipe without it, such as sa-proj, or leave --lora out")
      }
      return module
    }
    self.targets = targets
    leftOut = selected.filter { !able.contains($0.name.bytesKey) }.map(\.name)
  }

  func factors(_ lora: LoRAOptions, seed: UInt64) -> [LowRankFactors] {
    targets.indices.map { i in
      LowRankFactors(of: targets[i], module: modules[i], rank: lora.rank, scale: lora.scale, number: i, seed: seed)
    }
  }
}
