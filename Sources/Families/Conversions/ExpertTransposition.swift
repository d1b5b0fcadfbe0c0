import Base
import Checkpoints

/// Finds stacked experts whose last two axes are exchanged under the same name: Qwen3-VL-MoE's on the hub, against those
/// that transformers saves.
///
/// A shape tells, unless it is square. `gate_up_proj` and `down_proj` of a model are never both square. Where one shows
/// that nothing is exchanged, this holds for the other too. Where one is exchanged, a square one may or may not be:
/// transformers does not exchange it. So it is refused.
enum ExpertTransposition {
  private static let families = ConversionFamily.known.filter { $0.converters.contains(where: isOfShape) }
  private static let patterns = Set(families.flatMap { $0.converters.filter(isOfShape).map(\.hub[0]) })
  /// A part of the names of the models that have such experts.
  private static let mark: Substring = "deepstack_merger_list"

  private static func isOfShape(_ converter: TensorConverter) -> Bool {
    converter.keepsName && converter.arrangement.isTransposed
  }

  /// The pairs to be read with exchanged axes: all experts of the model, or none.
  static func found(
    in pairs: [(tuned: TensorInfo, base: TensorInfo)], configs: [JSON]
  ) throws(LayoutMatchError) -> [(tuned: TensorInfo, base: TensorInfo)] {
    let experts = pairs.filter { pair in
      let path = pair.base.name.split(separator: ".", omittingEmptySubsequences: false)
      return pair.base.shape.count == 3 && pair.tuned.shape.count == 3
        && patterns.contains { $0.occurrence(in: path)?.range.upperBound == path.count }
    }
    let swapped = experts.filter { isSwapped($0.tuned.shape, $0.base.shape) }
    let same = experts.first { $0.tuned.shape == $0.base.shape && !isSquare($0.base.shape) }
    if let first = swapped.first {
      if let other = experts.first(where: { exchanged($0.tuned.shape) != $0.base.shape }) {
        throw .mixed(swapped: first.tuned.name, same: other.tuned.name)
      }
      if let square = experts.first(where: { isSquare($0.base.shape) }) { throw .square(name: square.tuned.name) }
      return experts
    }
    if same == nil, let first = experts.first, isSquare(first.base.shape), isOfFamily(pairs, configs) {
      throw .square(name: first.tuned.name)
    }
    return []
  }

  static func isSwapped(_ a: [Int], _ b: [Int]) -> Bool { a != b && exchanged(a) == b }
  private static func exchanged(_ shape: [Int]) -> [Int] { [shape[0], shape[2], shape[1]] }
  private static func isSquare(_ shape: [Int]) -> Bool { shape[1] == shape[2] }

  private static func isOfFamily(_ pairs: [(tuned: TensorInfo, base: TensorInfo)], _ configs: [JSON]) -> Bool {
    let names = Set(families.flatMap(\.names))
    return configs.contains { $0["model_type"]?.string.map(names.contains) == true }
      || pairs.contains { $0.base.name.split(separator: ".").contains(mark) }
  }
}
