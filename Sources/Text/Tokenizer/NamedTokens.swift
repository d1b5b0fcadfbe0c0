import Checkpoints

/// The tokens that begin and end a text, as named in a model's files.
package struct NamedTokens: Sendable, Equatable {
  /// "bos_token": begins a text.
  package let beginning: Int32?
  /// "eos_token": ends one.
  package let end: Int32?
  /// End of generation: "eos_token", and the tokens in "generation_config.json".
  package let stops: Set<Int32>
  /// Text of "bos_token" and "eos_token".
  package let beginningText: String?
  package let endText: String?
  /// Texts of all named tokens ("pad_token", "image_token"): transformers' special tokens map, which templates can use.
  package let texts: [String: String]

  /// For tokens of which only the texts are known.
  init(beginningText: String?, endText: String?) {
    (beginning, end, stops) = (nil, nil, [])
    (self.beginningText, self.endText) = (beginningText, endText)
    texts = [("bos_token", beginningText), ("eos_token", endText)].reduce(into: [:]) { $0[$1.0] = $1.1 }
  }

  /// Names from the tokenizer; end tokens also from "generation_config.json", or "config.json".
  init(
    folder: ModelFolder, _ tokens: TokenizerConfig.Tokens, _ added: AddedTokens, _ vocabulary: Vocabulary
  ) throws {
    texts = tokens.named.reduce(into: [:]) { $0[$1.name] = $1.content }
    func id(_ name: String) -> Int32? {
      tokens.content(name).flatMap { added.id(of: $0) ?? vocabulary.id(of: $0) }
    }
    (beginning, beginningText) = (id("bos_token"), tokens.content("bos_token"))
    var listed: [Int32] = []
    for file in ["generation_config.json", "config.json"] {
      guard let value = try folder.json(file)?["eos_token_id"] else { continue }
      listed = (value.array ?? [value]).compactMap { $0.int.flatMap(Int32.init(exactly:)) }
      if !listed.isEmpty { break }
    }
    // The model has not seen a token that only the tokenizer class defines.
    let isInvented = tokens.invented.contains("eos_token") && vocabulary.id(of: tokens.content("eos_token")!) == nil
    let named = isInvented && !listed.isEmpty ? nil : id("eos_token")
    end = named ?? listed.first
    endText =
      tokens.content("eos_token") ?? listed.first.flatMap { added.byID[$0]?.content ?? vocabulary.text(of: Int($0)) }
    stops = Set(listed + (named.map { [$0] } ?? []))
  }
}
