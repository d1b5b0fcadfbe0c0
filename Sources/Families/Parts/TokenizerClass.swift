/// The class of transformers 5 whose rules a tokenizer follows, by the name that files give it.
///
/// `TokenizersBackend` uses tokenizer.json as it is. The others take vocabulary, merges and post-processor from it, and
/// define the rest themselves (the module Text has their parts).
package enum TokenizerClass: String, CaseIterable, Sendable {
  case backend = "TokenizersBackend"
  case gpt2 = "GPT2Tokenizer"
  case qwen2 = "Qwen2Tokenizer"
  case qwen35 = "Qwen3_5Tokenizer"
  case llama = "LlamaTokenizer"
  case codeLlama = "CodeLlamaTokenizer"
  case gemma = "GemmaTokenizer"
  case cohere = "CohereTokenizer"
  case gptNeoX = "GPTNeoXTokenizer"
}

/// How a model type chooses among the class that its files name and a class of its own.
package enum TokenizerChoice: Equatable, Sendable {
  /// This class, whatever the files name.
  case always(TokenizerClass)
  /// The class that the files name, or else this one.
  case named(otherwise: TokenizerClass)
}
