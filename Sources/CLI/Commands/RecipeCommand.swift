import Apply
import ArgumentParser
import Base
import Checkpoints

struct RecipeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recipe",
    abstract: "Print a recipe's tensors, or the setting with which a training tool tunes exactly these.",
    discussion: """
      Names in a running model may differ from those in its files: transformers 5 joins experts and moves the language \
      model of a vision-language model. The setting has the running model's names. Before it is printed, the tool's own \
      rule is applied to all of them, and must select the recipe's and no others. A tool that cannot be told is named, \
      with the reason.

      RECIPES
      \(Recipe.list)

      EXAMPLES
        vpatch recipe sa-proj model/
        vpatch recipe sa-proj model/ --for trl
        vpatch recipe gate-up model/ --for axolotl
        vpatch recipe sa-proj model/ --for peft --json
      """)

  @Argument(help: "The recipe.")
  var recipe: Recipe
  @Argument(help: "The model: a folder with its config.json; without --for also a file.", completion: .directory)
  var model: String
  @Option(name: .customLong("for"), help: ArgumentHelp("The training tool.", valueName: "tool"))
  var tool: TrainingTool?
  @OptionGroup var common: CommonOptions

  func run() throws {
    let checkpoint = try common.workspace().checkpoint(model)
    guard let tool else { return try printNames(checkpoint) }
    let parameters = try RecipeParameters(recipe, of: checkpoint, config: checkpoint.config)
    let setting = try TrainerSetting(tool, parameters)
    common.print(
      .dictionary([
        "recipe": .string(recipe.rawValue), "model": .string(model), "tool": .string(tool.rawValue),
        "checked_with": setting.checkedWith.map { .string($0) }, "setting": setting.values,
        "text": .string(setting.text), "notes": .array(setting.notes.map { .string($0) }),
        "tensors": .array(parameters.tensors.map { .string($0) }),
        "parameters": .array(parameters.names.map { .string($0) }),
        "tuned": .array(setting.tuned.map { .string($0) }),
      ]), text: setting.text)
    for note in setting.notes { common.note(note) }
    if let version = setting.checkedWith {
      let (tuned, all) = (setting.tuned.count, parameters.all.count)
      common.note(
        "by the rule of \(version) this tunes \(Format.grouped(tuned)) of \(Format.counted(all, "parameter")), exactly "
          + (tuned == parameters.selected.count ? "the recipe's" : "the weights of the recipe's"))
    }
  }

  private func printNames(_ checkpoint: SafetensorsCheckpoint) throws {
    let (layout, names) = try RecipeParameters.tensors(recipe, of: checkpoint)
    common.print(
      .dictionary([
        "recipe": .string(recipe.rawValue), "model": .string(model), "layout": .string(layout.name),
        "tensors": .array(names.map { .string($0) }),
      ]), text: names.map(\.printable).joined(separator: "\n"))
  }
}

extension TrainingTool: ExpressibleByArgument {}
