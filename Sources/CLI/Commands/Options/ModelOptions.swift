import Apply
import ArgumentParser
import Checkpoints
import Model
import Text
import Workspace

/// The options of commands that run a model.
struct ModelOptions: ParsableArguments {
  @OptionGroup var overlay: OverlayOptions
  @Option(help: ArgumentHelp("Precision of matrix products.", valueName: "precision"))
  var compute: Compute.Precision = .f32
  @Option(
    help: ArgumentHelp(
      "What computes float32 products: vpatch, or openblas. (default: vpatch where the processor has AVX2)",
      valueName: "library"))
  var blas: Compute.BLAS?
  @OptionGroup var template: TemplateOptions
  @OptionGroup(title: "Image features") var features: FeatureOptions

  /// A model's folder with patches applied in memory.
  func view(
    _ path: String, reading: SafetensorsCheckpoint.Reading, in workspace: Workspace
  ) throws -> ModelView {
    let checkpoint = try workspace.checkpoint(path, reading: reading)
    guard !overlay.isEmpty else { return ModelView(checkpoint) }
    let steps = try overlay.steps(over: checkpoint, in: workspace)
    try Rebuild(checkpoint, steps, workspace.work).checkInput(full: false)
    return ModelView(checkpoint, steps)
  }

  func model(_ view: ModelView, _ common: CommonOptions) throws -> LanguageModel {
    let model = try LanguageModel(
      view, compute: Compute(threads: common.work.threads, precision: compute, blas: blas),
      features: features.cache(common))
    for warning in model.warnings { common.warn(warning) }
    return model
  }

  /// The model's tokenizer and chat template.
  func text(_ view: ModelView) throws -> ModelText {
    try ModelText(model: view.folder(), chatTemplate: template.options())
  }
}
