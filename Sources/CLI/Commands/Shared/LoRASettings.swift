import ArgumentParser
import Base
import Train

/// The LoRA options of `train`.
struct LoRASettings: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Train a LoRA adapter of this rank on the recipe's matrices, and merge it into the patch.", valueName: "rank"))
  var lora: Int?
  @Option(
    help: ArgumentHelp("LoRA's alpha: the change is alpha / rank · B · A. (default: twice the rank)", valueName: "x"))
  var alpha: Double?
  @Flag(help: "Rank-stabilized LoRA: the change is alpha / √rank · B · A.")
  var rslora = false
  @Option(help: ArgumentHelp("Dropout of the adapter's inputs during training, 0 to less than 1.", valueName: "p"))
  var dropout: Double?
  @Flag(
    help: "Keep the whole adapter in the patch, for 'vpatch export --peft', even if the patch is smaller without it.")
  var keepAdapter = false

  func validate() throws {
    guard lora == nil else { return }
    for (isGiven, option) in [
      (alpha != nil, "--alpha"), (rslora, "--rslora"), (dropout != nil, "--dropout"), (keepAdapter, "--keep-adapter"),
    ] where isGiven { throw ValidationError("\(option) requires --lora.") }
  }

  func options() throws -> LoRAOptions? {
    try lora.map {
      try LoRAOptions(
        rank: $0, alpha: alpha, isRankStabilized: rslora, dropout: dropout ?? 0, keepsAdapter: keepAdapter)
    }
  }
}
