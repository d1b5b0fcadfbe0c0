import Base
import Checkpoints
import PatchFormat

/// The two factors of a tensor's change: which way round they are, and where their elements are.
struct AdapterFactors {
  /// In the adapter's list of tensors.
  let indices: (a: Int, b: Int)
  let plan: AdapterPlanBuilder
  /// The name that the config's patterns are compared with.
  let path: String

  private var a: TensorInfo { plan.infos[indices.a] }
  private var b: TensorInfo { plan.infos[indices.b] }

  /// - Throws: `refused` for shapes that do not fit, and a rank or a scale that contradicts the config.
  func rule(_ tensor: TensorInfo, isEmbedding: Bool) throws -> LowRank {
    guard a.shape.count == 2, b.shape.count == 2, (2...3).contains(tensor.shape.count) else {
      throw plan.mismatch(a.shape.count == 2 ? b : a, tensor)
    }
    let experts = tensor.shape.count == 3 ? tensor.shape[0] : 1
    let config = plan.adapter.config
    let rank = config.rank(of: path)
    guard a.shape[0] == rank * experts, b.shape[1] == a.shape[0] else {
      throw plan.refused(
        "has factors of rank \(a.shape[0] / max(experts, 1)) for \(plan.quoted(path)), and \(PEFTConfig.fileName) says "
          + "\(rank)",
        remedy: "write the rank that it was trained with into \(PEFTConfig.fileName)")
    }
    let scale = config.scale(of: path)
    guard scale.isFinite else { throw plan.refused("has a scale for \(plan.quoted(path)) that is not finite") }
    let (rows, columns) = (tensor.shape[tensor.shape.count - 2], tensor.shape[tensor.shape.count - 1])
    let (inputs, outputs) = (a.shape[1], b.shape[0])
    let fits = (plain: outputs == rows && inputs == columns, transposed: outputs == columns && inputs == rows)
    let isTransposed: Bool
    switch fits {
    case (false, false): throw plan.mismatch(outputs == rows ? a : b, tensor)
    case (true, true): isTransposed = isEmbedding || isTransposedSquare(tensor)
    default: isTransposed = fits.transposed
    }
    // The rows of A are grouped by expert, the columns of B by rank.
    let left = LowRank.View(
      tensor: indices.b, slice: experts == 1 ? 0 : 1, line: rank * experts, rank: experts)
    let right = LowRank.View(tensor: indices.a, slice: experts == 1 ? 0 : rank * inputs, line: 1, rank: inputs)
    let rule = LowRank(
      rank: rank, scale: scale, roundsChange: false, u: isTransposed ? right : left, v: isTransposed ? left : right)
    if let problem = rule.problem(of: tensor, adapter: plan.infos) {
      throw plan.refused("has \(problem) for \(plan.quoted(tensor.name))", remedy: OtherForm.mergeRemedy)
    }
    return rule
  }

  /// Whether the weight of a square layer has its inputs first. The shapes do not tell.
  private func isTransposedSquare(_ tensor: TensorInfo) -> Bool {
    if tensor.shape.count == 3 {
      // PEFT 0.18 and older always transposed the change of experts; newer versions do for these models.
      if plan.adapter.config.version.lexicographicallyPrecedes([0, 19]) { return true }
      return ["gpt_oss", "openai_privacy_filter", "aria"].contains(plan.baseConfig?["model_type"]?.string)
    }
    // GPT-2's Conv1D: whether inputs come first is told by a layer beside it that is not square.
    let stem = tensor.name.split(separator: ".").dropLast(3).joined(separator: ".")
    let names = ["\(stem).attn.c_attn.weight", "\(stem).mlp.c_fc.weight"]
    return names.contains { name in
      plan.base.tensor(named: name).map { $0.info.shape.count == 2 && $0.info.shape[0] < $0.info.shape[1] } ?? false
    }
  }
}
