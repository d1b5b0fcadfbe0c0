/// Decodes vocabulary entries to text.
struct DecodingRules: Sendable {
  /// Applied to each entry, in this order.
  private(set) var replacements: [(Matcher, by: [Unicode.Scalar])] = []
  private(set) var isByteLevel = false
  /// Whether entries like <0x41> are bytes.
  private(set) var hasBytes = false
  /// The character for a space, and whether leading ones of the first entry are dropped.
  private(set) var metaspace: (mark: Unicode.Scalar, dropsFirst: Bool)?
  /// Character that is stripped from the beginning, and the maximum number of times.
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
        throw part.unsupported("this \"Strip\"", supported: "one after \"Fuse\", at the beginning")
      }
      strip = (try part.scalar("content"), try part.int("start"))
      return
    }
    // The other rules apply per entry, so they must come before Fuse.
    guard !isFused, !isByteLevel, metaspace == nil else {
      throw part.unsupported("the decoder \"\(type)\" after one that outputs text", supported: "the opposite order")
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
