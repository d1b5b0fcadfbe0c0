extension TokenizerChoice {
  /// By model type. "" is a folder without config.json.
  package static let all: [String: TokenizerChoice] = Dictionary(
    DecoderFamily.all.map { ($0.modelType, $0.tokenizer) } + MultimodalFamily.all.map { ($0.modelType, $0.tokenizer) }
      + [("", .named(otherwise: .backend))]
  ) { first, _ in first }
}
