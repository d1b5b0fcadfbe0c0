/// A token that is found in a text before anything else is done to it, as a model's files describe it.
struct AddedToken: Sendable {
  var content: String
  /// A mark ("<|im_end|>") rather than text.
  var isSpecial = false
  /// Found only where no letter or digit is beside it.
  var isSingleWord = false
  /// Take the white space beside them in.
  var stripsLeft = false
  var stripsRight = false
  /// Whether it is found in the text as the normalizer leaves it; nil where the files do not say.
  var normalized: Bool?

  var isNormalized: Bool { normalized ?? !isSpecial }

  init(_ content: String, isSpecial: Bool, normalized: Bool? = nil) {
    self.content = content
    self.isSpecial = isSpecial
    self.normalized = normalized
  }

  /// - Parameter part: an object of a token's content and flags; a flag that is left out is false.
  init(_ part: TokenizerPart) throws {
    guard part.json.object != nil else { throw part.error("is not an object that describes a token") }
    func flag(_ key: String) throws -> Bool? { part.json[key] == nil ? nil : try part.bool(key) }
    content = try part.string("content")
    isSpecial = try flag("special") ?? false
    isSingleWord = try flag("single_word") ?? false
    stripsLeft = try flag("lstrip") ?? false
    stripsRight = try flag("rstrip") ?? false
    normalized = try flag("normalized")
  }

  /// An entry of tokenizer.json's list, which says everything.
  init(listed part: TokenizerPart) throws {
    for key in ["special", "single_word", "lstrip", "rstrip", "normalized"] { _ = try part.bool(key) }
    try self.init(part)
  }

  func isSame(as other: AddedToken) -> Bool {
    content.isSame(as: other.content) && isSpecial == other.isSpecial && isSingleWord == other.isSingleWord
      && stripsLeft == other.stripsLeft && stripsRight == other.stripsRight && isNormalized == other.isNormalized
  }
}
