import Base
import Checkpoints

/// What a model's `config.json` says of the tensors that belong to it.
struct ConfigFacts: Equatable {
  /// Whether the output head is the embedding.
  var tiesEmbeddings = false
  /// Decoder layers.
  package var layers: Int?
  /// Whether an architecture that it names has an output head for tokens; nil where it names none.
  var hasHead: Bool?
  /// `quant_method`: gptq, awq, bitsandbytes, fp8 …
  package var quantisation: String?

  /// Nothing is known of a checkpoint that is a single file, or whose config cannot be read.
  init(_ checkpoint: Checkpoint) {
    self.init()
    let path = Path.join(checkpoint.path, ConfigDType.fileName)
    guard checkpoint.isDirectory, let text = try? InputFile.contents(of: path, limit: SideFile.maximumSize),
      let config = try? JSON.parse(text)
    else { return }
    self = ConfigFacts(config)
  }

  init() {}

  init(_ config: JSON) {
    // What sees holds the config of its language model.
    let parts = [config] + ["text_config", "llm_config", "language_config"].compactMap { config[$0] }
    tiesEmbeddings = parts.contains { $0["tie_word_embeddings"]?.bool == true }
    layers =
      parts.lazy.compactMap { part in
        ["num_hidden_layers", "n_layer", "num_layers"].lazy.compactMap { part[$0]?.int }.first
      }.first
    let heads = ["CausalLM", "ConditionalGeneration", "LMHead", "MaskedLM", "PreTraining", "ImageTextToText"]
    let architectures = config["architectures"]?.array?.compactMap(\.string) ?? []
    if !architectures.isEmpty { hasHead = architectures.contains { name in heads.contains { name.contains($0) } } }
    quantisation = config["quantization_config"]?["quant_method"]?.string
  }
}
