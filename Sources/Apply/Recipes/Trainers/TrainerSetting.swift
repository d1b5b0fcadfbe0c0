import Base
import Families

/// A training tool that can be told which parameters to tune.
package enum TrainingTool: String, CaseIterable, Sendable {
  case hf, trl, axolotl
  case msSwift = "ms-swift"
  case llamaFactory = "llama-factory"
  case peft, megatron

  /// Its name in sentences.
  package var name: String {
    switch self {
    case .hf: "a loop over named_parameters()"
    case .trl: "TRL"
    case .axolotl: "axolotl"
    case .msSwift: "ms-swift"
    case .llamaFactory: "LLaMA-Factory"
    case .peft: "PEFT"
    case .megatron: "Megatron-Core"
    }
  }

  /// The version whose rule the setting was checked with.
  var version: String? {
    switch self {
    case .hf, .trl: "transformers 5.24"
    case .axolotl: "axolotl 0.19.0"
    case .msSwift: "ms-swift 4.6.0"
    case .llamaFactory: "LLaMA-Factory 0.9.5"
    case .peft: "PEFT 0.21.2"
    case .megatron: nil
    }
  }
}

/// What to write for a training tool, so that it tunes exactly a recipe's tensors of a model.
///
/// Each setting is checked before it is returned: the tool's own rule, applied to the names of all parameters of the
/// running model, selects the recipe's and no others. Only Megatron-Core's names are unknown to vpatch.
package struct TrainerSetting: Sendable {
  package let tool: TrainingTool
  /// To be pasted into a script, a command line or a config.
  package let text: String
  /// The values in the text, by the tool's names for them.
  package let values: JSON
  /// What else there is to know.
  package let notes: [String]
  /// The parameters that it tunes. A LoRA adapter leaves the recipe's biases out.
  package let tuned: [String]
  /// Whether the tool's rule was applied to the names.
  package let isChecked: Bool

  /// - Throws: `refused` where the tool cannot be told.
  package init(_ tool: TrainingTool, _ recipe: RecipeParameters) throws {
    switch tool {
    case .hf, .trl: try self.init(freezing: recipe, tool)
    case .axolotl: try self.init(axolotl: recipe)
    case .msSwift: try self.init(msSwift: recipe)
    case .llamaFactory: try self.init(llamaFactory: recipe)
    case .peft: try self.init(peft: recipe)
    case .megatron: try self.init(megatron: recipe)
    }
  }

  init(
    _ tool: TrainingTool, text: String, values: JSON, notes: [String] = [], tuned: [String], isChecked: Bool = true
  ) {
    (self.tool, self.text, self.values, self.notes) = (tool, text, values, notes)
    (self.tuned, self.isChecked) = (tuned, isChecked)
  }

  /// The version whose rule was applied; nil for a setting that is not checked.
  package var checkedWith: String? { isChecked ? tool.version : nil }

  // MARK: By name

  private init(freezing recipe: RecipeParameters, _ tool: TrainingTool) throws {
    let pattern = FoldedNames(recipe.names, of: recipe.all.map(\.name)).expression()
    try recipe.require(tool, pattern: pattern, matching: pattern)
    let note =
      tool == .trl
      ? "run it before SFTTrainer(model=model, …), which takes the model as it is"
      : "run it after from_pretrained, before the model is wrapped (FSDP, DDP, torch.compile) and the optimizer is made"
    self.init(
      tool, text: Self.loop(pattern), values: .dictionary(["pattern": .string(pattern)]), notes: [note],
      tuned: recipe.names)
  }

  /// Freezes all parameters but those whose whole names match, in Python.
  private static func loop(_ pattern: String, comment: String? = nil) -> String {
    let lines = [
      "import re", "", comment.map { "# " + $0 }, "pattern = re.compile(r\"\(pattern)\")",
      "for name, parameter in model.named_parameters():",
      "    parameter.requires_grad_(pattern.fullmatch(name) is not None)",
    ]
    return lines.compactMap(\.self).joined(separator: "\n")
  }

  /// axolotl matches from the start of a name and escapes dots itself, except before a plus sign.
  private init(axolotl recipe: RecipeParameters) throws {
    let pattern = FoldedNames(recipe.names, of: recipe.all.map(\.name)).expression(dot: ".") + "$"
    try recipe.require(.axolotl, pattern: pattern, matching: "(?:\(Self.escapingDots(pattern))).*")
    self.init(
      .axolotl, text: "unfrozen_parameters:\n  - '\(pattern)'",
      values: .dictionary(["unfrozen_parameters": .array([.string(pattern)])]),
      notes: ["axolotl escapes dots itself: do not write \\. in this pattern"], tuned: recipe.names)
  }

  /// As axolotl compiles a pattern: `re.sub(r"\.(?!\+)", "\\.", pattern)`.
  static func escapingDots(_ pattern: String) -> String {
    var result = ""
    var rest = pattern[...]
    while let character = rest.popFirst() {
      result += character == "." && rest.first != "+" ? "\\." : String(character)
    }
    return result
  }

  /// ms-swift searches in the name, so the pattern has anchors.
  private init(msSwift recipe: RecipeParameters) throws {
    let pattern = "^" + FoldedNames(recipe.names, of: recipe.all.map(\.name)).expression() + "$"
    try recipe.require(.msSwift, pattern: pattern, matching: ".*(?:\(pattern)).*")
    self.init(
      .msSwift,
      text: "--tuner_type full --freeze_parameters_ratio 1 --trainable_parameters_regex '\(pattern)'",
      values: .dictionary([
        "tuner_type": .string("full"), "freeze_parameters_ratio": JSON(1),
        "trainable_parameters_regex": .string(pattern),
      ]), tuned: recipe.names)
  }

  private init(megatron recipe: RecipeParameters) throws {
    guard let names = Self.megatron[recipe.recipe] else {
      throw recipe.cannot(.megatron, "vpatch knows no names of Megatron-Core for it")
    }
    let pattern = "(?:.*\\.)?" + names
    let comment = "Unchecked: vpatch does not know which names Megatron-Core gives this model's parameters."
    self.init(
      .megatron, text: Self.loop(pattern, comment: comment), values: .dictionary(["pattern": .string(pattern)]),
      notes: ["unchecked: compare the names with those that your Megatron-Core prints"], tuned: recipe.names,
      isChecked: false)
  }

  /// Parameters of Megatron-Core's GPT models. A norm that is fused into a layer is not `weight` or `bias` there.
  private static let megatron: [Recipe: String] = {
    func attention(_ names: String) -> String {
      "decoder\\.layers\\.\\d+\\.self_attention\\.\(names)\\.(?:weight|bias)"
    }
    func mlp(_ names: String) -> String {
      "decoder\\.layers\\.\\d+\\.mlp\\.(?:(?:local_)?(?:shared_)?experts\\.(?:local_experts\\.\\d+\\.)?)?\(names)"
        + "\\.(?:weight|bias)\\d*"
    }
    return [
      .saProj: attention("(?:linear_qkv|linear_proj)"), .saQKV: attention("linear_qkv"),
      .attentionOutput: attention("linear_proj"), .gateUp: mlp("linear_fc1"), .down: mlp("linear_fc2"),
      .mlp: mlp("linear_fc[12]"), .router: "decoder\\.layers\\.\\d+\\.mlp\\.router\\.weight",
      .embeddings: "(?:embedding\\.word_embeddings|output_layer)\\.weight",
    ]
  }()
}

extension RecipeParameters {
  /// Checks that an expression for whole names matches the recipe's parameters and no others.
  /// - Parameters:
  ///   - pattern: as the tool is given it, for messages.
  ///   - whole: what the tool makes of it, for whole names.
  func require(_ tool: TrainingTool, pattern: String, matching whole: String) throws {
    let compiled: NamePattern
    do { compiled = try NamePattern(whole) } catch {
      throw cannot(tool, "the names would need an expression of \(Format.counted(pattern.utf8.count, "character"))")
    }
    try require(tool, selecting: Set(compiled.filter(all.map(\.name))))
  }

  /// Checks that a tool selects the recipe's parameters and no others.
  func require(_ tool: TrainingTool, selecting found: Set<String>) throws {
    let wanted = Set(names)
    if let extra = found.subtracting(wanted).min() { throw cannot(tool, "its setting would also tune \"\(extra)\"") }
    if let missing = wanted.subtracting(found).min() { throw cannot(tool, "its setting would not tune \"\(missing)\"") }
  }
}
