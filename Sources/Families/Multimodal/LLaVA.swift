/// LLaVA, LLaVA-NeXT and LLaVA-OneVision: as transformers saves them, and as their authors do (liuhaotian, lmms-lab).
extension MultimodalFamily {
  static let llavas =
    [
      MultimodalFamily("llava", decoder: .textConfig, tokenizer: .always(.backend)),
      // LlavaNextForConditionalGeneration alone does not read the text config's tie_word_embeddings.
      MultimodalFamily(
        "llava_next", decoder: .textConfig, tokenizer: .always(.backend), tiesByTextConfig: false),
      MultimodalFamily("llava_onevision", decoder: .textConfig, tokenizer: .named(otherwise: .backend)),
    ]
    // Model types that transformers does not know: it treats their tokenizers like those of a folder without config.json.
    + ["llava_llama", "llava_mistral", "llava_qwen"].map {
      MultimodalFamily($0, decoder: .architecture, tokenizer: .named(otherwise: .backend))
    }
}
