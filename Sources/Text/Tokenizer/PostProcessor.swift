/// Adds ids before and after those of a text.
struct PostProcessor: Sendable {
  private(set) var prefix: [Int32] = []
  private(set) var suffix: [Int32] = []

  init(prefix: [Int32] = [], suffix: [Int32] = []) {
    self.prefix = prefix
    self.suffix = suffix
  }

  init(_ part: TokenizerPart) throws {
    switch try part.type {
    case "ByteLevel": break  // Affects offsets only.
    case "TemplateProcessing":
      var isBehind = false
      for piece in try part.elements("single") {
        if let sequence = piece.part("Sequence") {
          guard try sequence.string("id") == "A", !isBehind else {
            throw piece.unsupported("a template with more than one text", supported: "one text, A")
          }
          isBehind = true
          continue
        }
        let name = try piece.require("SpecialToken").string("id")
        guard let token = try part.require("special_tokens").part(name) else {
          throw piece.error("the token \"\(name)\" is not among the \"special_tokens\"")
        }
        for id in try token.elements("ids") {
          guard let id = id.json.int.flatMap(Int32.init(exactly:)) else { throw id.error("is not an id") }
          if isBehind { suffix.append(id) } else { prefix.append(id) }
        }
      }
      guard isBehind else { throw part.error("the template \"single\" has no text") }
    case "Sequence":
      for step in try part.elements("processors") {
        let step = try PostProcessor(step)
        prefix = step.prefix + prefix
        suffix += step.suffix
      }
    case let type:
      throw part.unsupported("the post-processor \"\(type)\"", supported: "TemplateProcessing, ByteLevel, Sequence")
    }
  }
}
