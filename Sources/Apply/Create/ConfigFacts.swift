import Base
import Checkpoints

/// Facts about a model's tensors from its `config.json`.
struct ConfigFacts: Equatable {
  /// Whether the output head equals the embedding.
  var tiesEmbeddings = false
  /// Number of decoder layers.
  package var layers: Int?
  /// Whether one of its architectures has an output head for tokens; nil if it names none.
  var hasHead: Bool?
  /// `quant_method`: gptq, awq, bitsandbytes, fp8 …
  package var quantisation: String?

  /// Nothing is known of a single-file checkpoint, or if the config cannot be read.
  init(_ checkpoint: any Checkpoint) {
    self = checkpoint.config.map(ConfigFacts.init) ?? ConfigFacts()
  }

  init() {}

  init(_ config: JSON) {
    // A vision-language model's config contains that of its language model.
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
