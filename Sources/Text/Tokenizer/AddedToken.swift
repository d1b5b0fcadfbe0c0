/// A token that is recognised in raw text before tokenization, as described in a model's files.
struct AddedToken: Sendable {
  var content: String
  /// A control token ("<|im_end|>") rather than text.
  var isSpecial = false
  /// Recognised only if no letter or digit is next to it.
  var isSingleWord = false
  /// Whether adjacent white space belongs to the token.
  var stripsLeft = false
  var stripsRight = false
  /// Whether it is matched in normalized text; nil if the files do not say.
  var normalized: Bool?

  var isNormalized: Bool { normalized ?? !isSpecial }

  init(_ content: String, isSpecial: Bool, normalized: Bool? = nil) {
    self.content = content
    self.isSpecial = isSpecial
    self.normalized = normalized
  }

  /// - Parameter part: an object with a token's content and flags; a missing flag is false.
  init(_ part: TokenizerPart) throws {
    guard part.json.object != nil else { throw part.error("is not an object with a token's description") }
    func flag(_ key: String) throws -> Bool? { part.json[key] == nil ? nil : try part.bool(key) }
    content = try part.string("content")
    isSpecial = try flag("special") ?? false
    isSingleWord = try flag("single_word") ?? false
    stripsLeft = try flag("lstrip") ?? false
    stripsRight = try flag("rstrip") ?? false
    normalized = try flag("normalized")
  }

  /// An entry of tokenizer.json's list, with all flags.
  init(listed part: TokenizerPart) throws {
    for key in ["special", "single_word", "lstrip", "rstrip", "normalized"] { _ = try part.bool(key) }
    try self.init(part)
  }

  func isSame(as other: AddedToken) -> Bool {
    content.isSame(as: other.content) && isSpecial == other.isSpecial && isSingleWord == other.isSingleWord
      && stripsLeft == other.stripsLeft && stripsRight == other.stripsRight && isNormalized == other.isNormalized
  }
}
