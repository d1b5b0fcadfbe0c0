import Base
import Families

/// How PEFT selects: modules by a regular expression for the whole path or by ends of paths, parameters by ends of names.
///
/// LoRA adds low-rank factors to weights of two and more axes. Vectors cannot have any: norms and biases.
extension TrainerSetting {
  init(peft recipe: RecipeParameters) throws {
    let kinds = Dictionary(grouping: recipe.selected) { Self.kind($0, in: recipe) }
    if let vectors = kinds[.vector] {
      throw recipe.cannot(
        .peft,
        "LoRA cannot tune parameters of one axis, such as \"\(vectors[0].name)\" "
          + "(\(Format.counted(vectors.count, "parameter")))")
    }
    let modules = (kinds[.module] ?? []).map { String($0.name.dropLast(".weight".count)) }
    let parameters = (kinds[.parameter] ?? []).map(\.name)
    guard !modules.isEmpty || !parameters.isEmpty else { throw recipe.cannot(.peft, "LoRA cannot tune biases alone") }
    var lines: [String] = []
    var values: [(String, JSON)] = []
    if recipe.hasFusedExperts || modules.isEmpty {
      // An empty list too: without one, PEFT would choose modules by the model's type.
      let ends = try Self.ends(of: modules, among: recipe.modules, recipe)
      lines.append("target_modules=\(Self.list(ends)),")
      values.append(("target_modules", .array(ends.map { .string($0) })))
    } else {
      let pattern = try Self.expression(for: modules, recipe)
      lines.append("target_modules=r\"\(pattern)\",")
      values.append(("target_modules", .string(pattern)))
    }
    if !parameters.isEmpty {
      let ends = try Self.ends(of: parameters, among: recipe.all.map(\.name), recipe)
      lines.append("target_parameters=\(Self.list(ends)),")
      values.append(("target_parameters", .array(ends.map { .string($0) })))
    }
    let text = ["from peft import LoraConfig", "", "config = LoraConfig("] + lines.map { "    " + $0 } + [")"]
    self.init(
      .peft, text: text.joined(separator: "\n"), values: .object(values.map { JSON.Member($0.0, $0.1) }),
      notes: Self.notes((kinds[.bias] ?? []).map(\.name), Set(modules)),
      tuned: modules.map { $0 + ".weight" } + parameters)
  }

  private static func list(_ items: [String]) -> String {
    "[" + items.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
  }

  private enum Kind { case module, parameter, bias, vector }

  private static func kind(_ parameter: RuntimeModel.Parameter, in recipe: RecipeParameters) -> Kind {
    let component = recipe.layout.component(of: parameter.name)
    if parameter.name.hasSuffix(".bias") || parameter.name.hasSuffix("_bias") {
      return component.role == .norm ? .vector : .bias
    }
    if parameter.rank < 2 { return .vector }
    // The router of a fused layer is no linear module in transformers 5, and its weight a parameter of its own.
    guard parameter.name.hasSuffix(".weight"), component.role != .router else { return .parameter }
    let module = parameter.name.dropLast(".weight".count).split(separator: ".").last ?? ""
    return recipe.hasFusedExperts && taken.contains(module) ? .parameter : .module
  }

  /// PEFT takes modules of these names for parts of fused experts, in a model that has any, also in dense layers and
  /// shared experts. There it also reduces an expression to the last parts of the paths that it matches.
  private static let taken: Set<Substring> = ["gate", "gate_proj", "up_proj", "down_proj", "w1", "w2", "w3"]

  private static func notes(_ biases: [String], _ modules: Set<String>) -> [String] {
    guard !biases.isEmpty else { return [] }
    // PEFT's option is for the biases of the modules that get factors.
    let areOfModules = biases.allSatisfy {
      $0.hasSuffix(".bias") && modules.contains(String($0.dropLast(".bias".count)))
    }
    return [
      "LoRA leaves the recipe's \(Format.counted(biases.count, "bias", plural: "biases")) as they are: the adapter tunes "
        + "its weights only, and stays within the recipe"
        + (areOfModules ? "; bias=\"lora_only\" tunes these biases too" : "")
    ]
  }

  /// The expression for modules. PEFT compares it with the paths of all modules, also of those that contain others.
  private static func expression(for modules: [String], _ recipe: RecipeParameters) throws -> String {
    let all = recipe.modules
    let pattern = FoldedNames(modules, of: all, usesRest: false).expression()
    guard let compiled = try? NamePattern(pattern), Set(compiled.filter(all)) == Set(modules) else {
      throw recipe.cannot(.peft, "no expression selects exactly its modules")
    }
    return pattern
  }

  /// The shortest ends of names that select these and no others: `mlp.experts.gate_up_proj`.
  private static func ends(of chosen: [String], among names: [String], _ recipe: RecipeParameters) throws -> [String] {
    let wanted = Set(chosen)
    var ends: [String] = []
    var done: Set<String> = []
    for name in chosen where !done.contains(name) {
      let parts = name.split(separator: ".")
      // Behind the number of the layer, which is the last one where experts are fused.
      let inner = parts.lastIndex { NamePath.index($0) != nil }.map { parts[($0 + 1)...] } ?? parts[...]
      let matches = [inner.joined(separator: "."), name].lazy.map { end in (end, names.filter { isEnd(end, of: $0) }) }
      guard let (end, found) = matches.first(where: { wanted.isSuperset(of: $0.1) }) else {
        throw recipe.cannot(.peft, "no name selects \"\(name)\" alone")
      }
      ends.append(end)
      done.formUnion(found)
    }
    guard done == wanted else { throw recipe.cannot(.peft, "no names select exactly its parameters") }
    return ends
  }

  /// As PEFT compares: the whole name, or its end behind a dot.
  private static func isEnd(_ end: String, of name: String) -> Bool { name == end || name.hasSuffix("." + end) }
}

extension RecipeParameters {
  /// Whether experts are parameters of their own, and not linear modules.
  fileprivate var hasFusedExperts: Bool {
    all.contains { $0.rank == 3 && !$0.name.hasSuffix(".weight") && $0.name.contains(".experts.") }
  }

  /// The paths of all modules with parameters, and of those that contain them.
  fileprivate var modules: [String] {
    all.flatMap { parameter in
      let parts = parameter.name.split(separator: ".")
      return (1..<max(parts.count, 1)).map { parts[..<$0].joined(separator: ".") }
    }.unique
  }
}
