/// How entries of the vocabulary become text again.
struct DecodingRules: Sendable {
  /// Applied to each entry, in this order.
  private(set) var replacements: [(Matcher, by: [Unicode.Scalar])] = []
  private(set) var isByteLevel = false
  /// Whether <0x41> is a byte.
  private(set) var hasBytes = false
  /// The character that stands for a space, and whether those of the first entry are dropped.
  private(set) var metaspace: (mark: Unicode.Scalar, dropsFirst: Bool)?
  /// How many of which character are taken off the beginning.
  private(set) var strip: (Unicode.Scalar, count: Int)?
  private var isFused = false

  init(_ part: TokenizerPart) throws {
    try add(part)
  }

  private mutating func add(_ part: TokenizerPart) throws {
    let type = try part.type
    if type == "Sequence" {
      for step in try part.elements("decoders") { try add(step) }
      return
    }
    if type == "Strip" {
      guard isFused, strip == nil, try part.int("stop") == 0 else {
        throw part.unsupported("this \"Strip\"", supported: "one behind \"Fuse\", of the beginning")
      }
      strip = (try part.scalar("content"), try part.int("start"))
      return
    }
    // The others are rules for each entry, which Fuse ends.
    guard !isFused, !isByteLevel, metaspace == nil else {
      throw part.unsupported("the decoder \"\(type)\" behind another that makes text", supported: "it before them")
    }
    switch type {
    case "ByteLevel": isByteLevel = true
    case "ByteFallback": hasBytes = true
    case "Fuse": isFused = true
    case "Metaspace": metaspace = (try part.scalar("replacement"), try PreTokenizer.Prefix(part) != .never)
    case "Replace" where !hasBytes:
      replacements.append(
        (try Matcher(part.require("pattern")), by: Array(try part.string("content").unicodeScalars)))
    default:
      throw part.unsupported(
        "the decoder \"\(type)\" here", supported: "ByteLevel, Metaspace, Replace, ByteFallback, Fuse, Strip, Sequence")
    }
  }
}
