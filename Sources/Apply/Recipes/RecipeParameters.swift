import Base
import Checkpoints
import Families

/// A recipe over the parameters of a running model: what training tools have to be told.
package struct RecipeParameters: Sendable {
  package let recipe: Recipe
  /// The path of the checkpoint.
  package let model: String
  package let config: JSON
  /// The recipe's tensors in the checkpoint.
  package let tensors: [String]
  /// All parameters of the running model.
  package let all: [RuntimeModel.Parameter]
  /// Those that are made of the recipe's tensors.
  package let selected: [RuntimeModel.Parameter]
  let layout: ModelLayout

  package var names: [String] { selected.map(\.name) }

  /// The recipe's tensors in a checkpoint.
  /// - Throws: `refused` where there are none.
  package static func tensors(_ recipe: Recipe, of checkpoint: some Checkpoint) throws -> (ModelLayout, [String]) {
    let names = checkpoint.tensors.map(\.info.name)
    let layout = ModelLayout.recognise(names: names)
    let found = Selection.recipe(recipe).filter(names, in: layout)
    guard !found.isEmpty else {
      throw VPatchError(
        .refused, checkpoint.path, "has no tensor of the recipe \(recipe)",
        remedy:
          "choose another; 'vpatch recipe full \(Path.shellWord(checkpoint.path))' prints the names of all tensors")
    }
    return (layout, found)
  }

  /// - Throws: `refused` where a parameter has more than the recipe, or the model cannot be told.
  package init(_ recipe: Recipe, of checkpoint: some Checkpoint, config: JSON?) throws {
    let tensors = try Self.tensors(recipe, of: checkpoint).1
    guard let config, config["model_type"]?.string != nil else {
      throw VPatchError(
        .refused, checkpoint.path,
        "has no config.json with a model_type, which tells how training tools name the parameters",
        remedy: "give the model's folder, with its config.json")
    }
    try self.init(
      recipe, tensors: tensors, of: checkpoint.tensors.map(\.info), model: checkpoint.path, config: config)
  }

  init(
    _ recipe: Recipe, tensors: [String], of infos: [TensorInfo], model path: String, config: JSON
  ) throws {
    let stored = infos.filter { !PassingTensors.isBuffer($0) }
    let model = RuntimeModel(stored, config: config)
    if let odd = model.parameters.first(where: { NamePath(checked: $0.name) == nil }) {
      throw VPatchError(.refused, path, "has \"\(odd.name.printable)\", a name that no model has")
    }
    let chosen = Set(tensors)
    let isChosen = stored.map { chosen.contains($0.name) }
    if let mixed = model.parameters.first(where: { parameter in
      parameter.tensors.contains { isChosen[$0] } && parameter.tensors.contains { !isChosen[$0] }
    }) {
      let outside = mixed.tensors.first { !isChosen[$0] }.map { stored[$0].name } ?? ""
      throw VPatchError(
        .refused, path,
        "has in memory the parameter \"\(mixed.name)\", of which the recipe \(recipe) is only a part: \"\(outside)\" "
          + "is in it too, and a parameter is trained as a whole",
        remedy: "choose a recipe that has both, such as llm")
    }
    self.recipe = recipe
    self.model = path
    self.config = config
    self.tensors = tensors
    all = model.parameters
    selected = model.parameters.filter { parameter in parameter.tensors.contains { isChosen[$0] } }
    layout = model.layout
  }

  /// The error for a tool that cannot be told to tune the recipe.
  func cannot(_ tool: TrainingTool, _ reason: String) -> VPatchError {
    VPatchError(
      .refused, model, "\(tool.name) cannot tune exactly the recipe \(recipe): \(reason)",
      remedy: tool == .hf ? nil : "freeze by name in Python: vpatch recipe \(recipe) \(Path.shellWord(model)) --for hf")
  }
}
