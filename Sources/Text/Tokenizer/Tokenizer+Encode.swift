extension Tokenizer {
  /// The ids of a text. Special tokens in the text ("<|im_end|>") are recognised.
  /// - Parameter addSpecialTokens: whether the tokenizer's prefix and suffix (such as Llama's "<s>") are added.
  package func encode(_ text: String, addSpecialTokens: Bool = true) -> [Int32] {
    var ids: [Int32] = []
    if addSpecialTokens { ids = postProcessor.prefix }
    let scalars = Array(text.unicodeScalars)
    for part in added.split(scalars) {
      switch part {
      case .token(let id, _): ids.append(id)
      case .text(let range): ids += encode(Array(scalars[range]), isFirst: range.lowerBound == 0)
      }
    }
    if addSpecialTokens { ids += postProcessor.suffix }
    return ids
  }

  /// The ids of the text between two added tokens.
  func encode(_ raw: [Unicode.Scalar], isFirst: Bool) -> [Int32] {
    var ids: [Int32] = []
    let text = normalizer?.apply(to: raw) ?? raw
    for part in added.splitNormalized(text) {
      switch part {
      case .token(let id, _): ids.append(id)
      case .text(let range):
        var pieces = Pieces(Array(text[range]), isFirst: isFirst && range.lowerBound == 0)
        preTokenizer?.apply(to: &pieces)
        pieces.scalars.withUnsafeBufferPointer { scalars in
          for range in pieces.ranges {
            cache.encode(UnsafeBufferPointer(rebasing: scalars[range]), into: &ids, model.encode)
          }
        }
      }
    }
    return ids
  }

  /// The text of ids. Unknown ids are skipped; invalid UTF-8 becomes U+FFFD.
  package func decode(_ ids: some Sequence<Int32>, skipSpecialTokens: Bool) -> String {
    var decoder = decoder(skipSpecialTokens: skipSpecialTokens)
    var text = ""
    for id in ids { text += decoder.append(id) }
    return text + decoder.finish()
  }

  /// A decoder for ids one at a time.
  package func decoder(skipSpecialTokens: Bool) -> TokenDecoder {
    TokenDecoder(self, skipsSpecialTokens: skipSpecialTokens)
  }
}
