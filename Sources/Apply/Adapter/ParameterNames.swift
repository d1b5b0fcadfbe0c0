import Base
import Checkpoints

/// The tensors that factors change: a layer's weight, or with `target_parameters` the parameters of a module themselves,
/// such as fused experts.
///
/// PEFT wraps a module once for each of its parameters, in the order in which the module's class declares them: the
/// first is the innermost wrapper. In every model of transformers 5.24 gate and up come before down.
struct ParameterNames {
  private var names: [AdapterKey: (name: String, path: String)] = [:]

  /// The order of declaration. Parameters of other names can only be told if there is one.
  private static let order = ["gate_up_proj", "gate_proj", "up_proj", "w1", "v1", "down_proj", "w2"]

  init(_ keys: some Collection<AdapterKey>, _ adapter: PEFTAdapter) throws {
    for (module, levels) in Dictionary(grouping: keys, by: \.module) {
      let parameters = Self.parameters(of: module, adapter.config.targetParameters)
      let isLayer = levels.count == 1 && levels[0].depth == 0 && (parameters.isEmpty || parameters == ["weight"])
      if isLayer {
        names[levels[0]] = (module + ".weight", parameters.isEmpty ? module : module + ".weight")
        continue
      }
      let sorted = parameters.sorted { (Self.order.firstIndex(of: $0) ?? -1) < (Self.order.firstIndex(of: $1) ?? -1) }
      guard sorted.count == levels.count, Set(levels.map(\.depth)) == Set(0..<sorted.count),
        sorted.count == 1 || sorted.allSatisfy(Self.order.contains)
      else {
        throw VPatchError(
          .refused, adapter.path,
          "has \(Format.counted(levels.count, "pair")) of factors for \"\(module.printable)\", and "
            + "\"target_parameters\" does not say for which of its parameters",
          remedy: OtherForm.mergeRemedy)
      }
      for level in levels {
        let name = "\(module).\(sorted[sorted.count - 1 - level.depth])"
        names[level] = (name, name)
      }
    }
  }

  /// The parameters of a module that the config names by their ends.
  private static func parameters(of module: String, _ targets: [String]) -> [String] {
    var found: Set<String> = []
    for target in targets {
      let parts = target.split(separator: ".")
      guard let parameter = parts.last else { continue }
      let owner = parts.dropLast().joined(separator: ".")
      if owner.isEmpty || module == owner || module.hasSuffix("." + owner) { found.insert(String(parameter)) }
    }
    return found.sorted()
  }

  /// The tensor's name in memory.
  func name(_ key: AdapterKey) -> String { names[key]!.name }

  /// The name that the patterns of the config are compared with.
  func path(_ key: AdapterKey) -> String { names[key]!.path }
}
