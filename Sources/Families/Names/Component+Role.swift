extension Component {
  /// What a tensor does in the language model. The same role has another name in each family.
  package enum Role: CaseIterable, Sendable {
    /// Projects into attention: q, k, v.
    case attentionInput
    /// Projects out of attention: o.
    case attentionOutput
    /// Projects into the non-linearity of an MLP: gate, up.
    case mlpInput
    /// Projects out of an MLP: down.
    case mlpOutput
    /// The same in an expert, also in one that every token uses.
    case expertInput
    case expertOutput
    /// Chooses experts, or weighs a shared one.
    case router
    case norm
  }

  /// The tensor's role; nil outside the language model, and for tensors of other use.
  ///
  /// Only weights and biases of modules have a role, and the tensors in which experts are fused: not adapters, and not
  /// the codes and scales of quantised weights.
  package var role: Role? {
    switch region {
    case .embedding, .finalNorm: isOfModule && Self.isNorm(path: name) ? .norm : nil
    case .decoderLayer: RoleTable.role(module: name, parameter: parameter, isOfModule: isOfModule)
    case .head, .prediction, .projector, .resampler, .visionTower, .other: nil
    }
  }

  private var isOfModule: Bool { parameter == "weight" || parameter == "bias" }

  /// Whether the last part of a module's path names a norm.
  fileprivate static func isNorm(path: String) -> Bool {
    guard let last = path.split(separator: ".").last else { return false }
    return last.contains("norm") || last == "ln" || last.hasPrefix("ln_")
  }
}

/// Finds the role of a tensor in a decoder layer, by whole names.
private enum RoleTable {
  /// - Parameters:
  ///   - module: path in the layer.
  ///   - isOfModule: whether the parameter is a weight or a bias.
  static func role(module: String, parameter: String, isOfModule: Bool) -> Component.Role? {
    // Experts, and the two attentions of a LongCat layer, are numbered.
    let parts = module.split(separator: ".").filter { NamePath.index($0) == nil }
    let path = parts.joined(separator: ".")
    if isRouter(parts) || routerParameters.contains("\(path).\(parameter)") { return .router }
    if isOfModule { return roles[path] ?? (Component.isNorm(path: path) ? .norm : nil) }
    // The weights of all experts in one tensor, and gpt-oss's biases beside them.
    guard fused.contains(path) else { return nil }
    return roles["\(path).\(parameter.hasSuffix("_bias") ? String(parameter.dropLast(5)) : parameter)"]
  }

  private static func isRouter(_ parts: [Substring]) -> Bool {
    if parts.first.map(MLPNames.routersOfLayers.contains) == true { return true }
    return parts.indices.dropFirst().contains { i in
      MLPNames.routers.contains(parts[i]) && blocks.contains(parts[..<i].joined(separator: ".") + ".")
    }
  }

  private static let blocks = Set(MLPNames.blocks)
  private static let routerParameters: Set<String> = Set(
    MLPNames.blocks.flatMap { block in MLPNames.routerParameters.map { block + $0 } })
  /// Modules whose parameters hold all experts.
  private static let fused: Set<String> = Set(
    MLPNames.blocks.flatMap { block in MLPNames.experts.map { block + $0.dropLast() } })

  private static let roles: [String: Component.Role] = {
    var roles: [String: Component.Role] = [:]
    func add(_ blocks: [String], _ modules: [String], _ role: Component.Role) {
      for block in blocks {
        for module in modules { roles[block + module] = role }
      }
    }
    for family in AttentionNames.families {
      add(family.blocks, family.inputs, .attentionInput)
      add(family.blocks, family.outputs, .attentionOutput)
    }
    let experts = MLPNames.blocks.flatMap { block in MLPNames.experts.map { block + $0 } }
    add(experts + MLPNames.expertBlocks, MLPNames.inputs, .expertInput)
    add(experts + MLPNames.expertBlocks, MLPNames.outputs, .expertOutput)
    for block in MLPNames.denseBlocks {
      add([block], MLPNames.inputs, .mlpInput)
      add([block], MLPNames.outputs, .mlpOutput)
    }
    for (path, role) in MLPNames.others { roles[path] = role }
    return roles
  }()
}
