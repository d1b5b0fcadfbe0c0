import Base
import Checkpoints

/// Pairs the tensors of a tuned checkpoint with those of its base where names, or the arrangement of the elements,
/// differ: in another layout (`KeyMap`), or between the hub's and transformers' runtime layout (`ConversionFamily`).
package struct LayoutMatch: Sendable {
  /// A tensor of the base, and how to read it from the tuned checkpoint.
  package struct Rearranged: Hashable, Sendable {
    /// The base's name, the base's shape, the tuned dtype.
    package let tensor: TensorInfo
    /// The tuned tensors that are read.
    package let sources: [TensorInfo]
    package let blocks: [TensorBlock]
    /// What is done to them, in a few words.
    package let how: String
  }

  /// Tuned name → base name, of the tensors that are read as they are stored.
  package let keys: KeyMap
  /// In the order of the base.
  package let rearranged: [Rearranged]

  /// Whether each tensor is read as it is stored and keeps its name.
  package var isIdentity: Bool { rearranged.isEmpty && keys.isIdentity }
  /// Number of the base's tensors that are paired.
  package var pairedCount: Int { keys.names.count + rearranged.count }

  /// - Parameter configs: those of the two models, if known. They decide where two families read the names differently,
  ///   and have the number of heads.
  /// - Throws: `KeyMapError`, `LayoutMatchError`.
  package static func find(tuned: [TensorInfo], base: [TensorInfo], configs: [JSON] = []) throws -> LayoutMatch {
    let search = ConversionSearch(tuned: tuned.map(\.name), base: base.map(\.name), configs: configs)
    let steps = try search.steps()
    let sides = (
      tuned: steps.converted(tuned.map(\.name), .tuned), base: steps.converted(base.map(\.name), .base)
    )
    let map = try KeyMap.auto(from: sides.tuned.names, to: sides.base.names)
    return try LayoutMatch(LayoutPairs(map, sides.tuned, sides.base, tuned, base), configs: configs)
  }

  private init(_ pairs: LayoutPairs, configs: [JSON]) throws {
    var rearranged = try pairs.groupsOfTuned(configs) + pairs.groupsOfBase(configs)
    var stored = pairs.stored
    let swapped = try ExpertTransposition.found(in: stored, configs: configs)
    for (tuned, base) in swapped {
      stored.removeAll { $0.base == base }
      rearranged.append(
        Rearranged(
          tensor: TensorInfo(name: base.name, dtype: tuned.dtype, shape: base.shape, byteCount: tuned.byteCount),
          sources: [tuned],
          blocks: [
            TensorBlock(TensorBox(shape: base.shape), from: TensorBox(shape: tuned.shape).transposed!, source: 0)!
          ],
          how: "last two axes exchanged"))
    }
    self.rearranged = rearranged.sorted { $0.tensor.name.precedes($1.tensor.name) }
    let used = Set(rearranged.flatMap { $0.sources.map(\.name) })
    let made = Set(rearranged.map(\.tensor.name))
    let names = Dictionary(uniqueKeysWithValues: stored.map { ($0.tuned.name, $0.base.name) })
    keys = KeyMap(
      names: names,
      onlyInTuned: pairs.tuned.map(\.name).filter { names[$0] == nil && !used.contains($0) }.sorted(),
      onlyInBase: Set(pairs.base.map(\.name)).subtracting(names.values).subtracting(made).sorted(),
      tunedLayout: pairs.map.tunedLayout, baseLayout: pairs.map.baseLayout)
  }
}

/// Why tensors that are arranged differently cannot be paired.
package enum LayoutMatchError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Two families read a name differently.
  case ambiguous(name: String, families: [String])
  /// Shapes do not tell how a tensor is arranged.
  case square(name: String)
  /// Some tensors of a file are arranged in one way, others in another.
  case mixed(swapped: String, same: String)
  /// A tensor is a part of another, and further parts are missing.
  case incomplete(side: KeyMapError.Side, whole: String, missing: String)
  /// The shapes of a tensor and its parts do not fit.
  case shapes(side: KeyMapError.Side, whole: String, part: String)
  /// The parts of a tensor have different dtypes, or one whose elements are not whole bytes.
  case dtypes(name: String)
  /// The number of heads is needed.
  case heads(name: String)

  package var description: String {
    switch self {
    case .ambiguous(let name, let families):
      "has \"\(name.printable)\", which transformers converts in several ways (\(families.joined(separator: ", ")))"
    case .square(let name):
      "has \"\(name.printable)\", whose shape does not tell whether its last two axes are exchanged (as in the files of "
        + "Qwen3-VL-MoE on the hub)"
    case .mixed(let swapped, let same):
      "has \"\(swapped.printable)\" with its last two axes exchanged, but \"\(same.printable)\" as in the base"
    case .incomplete(let side, let whole, let missing):
      "lacks a part of \"\(whole.printable)\": the \(side.rawValue) model has no \"\(missing.printable)\""
    case .shapes(let side, let whole, let part):
      "has \"\(whole.printable)\" in a shape that does not fit the parts in the \(side.rawValue) model, such as "
        + "\"\(part.printable)\""
    case .dtypes(let name):
      "has parts of \"\(name.printable)\" in dtypes that cannot be joined"
    case .heads(let name):
      "has \"\(name.printable)\" in another order of rows, which depends on the number of attention heads"
    }
  }

  package var remedy: String {
    switch self {
    case .ambiguous: "give the base as a folder with its config.json, whose model_type decides"
    case .square:
      "save the tuned model with its experts arranged as in the base, and leave out --map-keys auto"
    case .mixed: "save the tuned model again"
    case .incomplete: "give the whole model"
    case .shapes: "give the base that it was tuned from"
    case .dtypes: "save the tuned model in one dtype"
    case .heads: "give the base as a folder with its config.json"
    }
  }
}
