/// Byte-pair encoding: a word starts as its characters; the adjacent pair that is first in the merge list is merged,
/// until no pair is in the list.
struct BPE: Sendable {
  let vocabulary: Vocabulary
  private let merges: MergeTable
  /// The ids of single characters.
  private let characters: [Unicode.Scalar: Int32]
  private let unknown: Int32?
  /// Whether adjacent unknown characters become one unknown token.
  private let fusesUnknown: Bool
  /// The ids of <0x00> … <0xFF>, which encode characters outside the vocabulary.
  private let bytes: [Int32?]?
  /// Whether a word in the vocabulary is one token, regardless of merges.
  private let ignoresMerges: Bool

  init(_ part: TokenizerPart) throws {
    let type = part.part("type")?.json.string ?? "BPE"
    guard type == "BPE", part.part("merges") != nil else {
      throw part.unsupported("the model \"\(type)\"", supported: "BPE")
    }
    if let dropout = part.part("dropout"), dropout.json.double != 0 {
      throw dropout.unsupported("dropout (random ids)", supported: "null")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      guard let affix = part.part(key), affix.json != .string("") else { continue }
      throw affix.unsupported("a prefix or suffix of subwords", supported: "null")
    }
    vocabulary = try Self.vocabulary(part.require("vocab"))
    merges = try Self.merges(part, vocabulary)
    ignoresMerges = try part.bool("ignore_merges", default: false)
    fusesUnknown = try part.bool("fuse_unk", default: false)
    if try part.bool("byte_fallback", default: false) {
      let vocabulary = vocabulary
      bytes = (UInt8(0)...255).map {
        vocabulary.id(of: "<0x\(($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true))>")
      }
    } else {
      bytes = nil
    }
    if part.part("unk_token") != nil {
      let token = try part.string("unk_token")
      unknown = vocabulary.id(of: token)
      // If every character can be encoded in bytes, none is unknown.
      guard unknown != nil || bytes?.contains(nil) == false else {
        throw part.error("\"unk_token\" is \"\(token.printable)\", which is not in the vocabulary")
      }
    } else {
      unknown = nil
    }
    var characters: [Unicode.Scalar: Int32] = [:]
    for id in 0..<vocabulary.idEnd {
      guard let text = vocabulary.text(of: id)?.unicodeScalars, text.count == 1 else { continue }
      characters[text.first!] = Int32(id)
    }
    self.characters = characters
  }

  private static func vocabulary(_ part: TokenizerPart) throws -> Vocabulary {
    guard let members = part.json.object else { throw part.error("is not an object of tokens and ids") }
    guard !members.isEmpty else { throw part.error("is empty") }
    var vocabulary = Vocabulary(capacity: members.count)
    for member in members {
      // Far above any vocabulary, and well within memory.
      guard let id = member.value.int, id < 1 << 24 else {
        throw part.error("the id of \"\(member.key)\" is not a number below 2^24")
      }
      guard !member.key.isEmpty else { continue }
      guard vocabulary.add(member.key, id: id) else { throw part.error("gives the id \(id) to two tokens") }
    }
    return vocabulary
  }

  private static func merges(_ part: TokenizerPart, _ vocabulary: Vocabulary) throws -> MergeTable {
    let list = try part.require("merges")
    guard let lines = list.json.array else { throw list.error("is not a list") }
    var table = MergeTable(capacity: lines.count)
    var rank: UInt32 = 0
    for (i, line) in lines.enumerated() {
      let pair: [String]
      switch line {
      case .string(let text):
        // A line of merges.txt; the first may be a version.
        if text.hasPrefix("#version") { continue }
        pair = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map {
          String(Substring($0))
        }
      case .array(let parts): pair = parts.compactMap(\.string)
      default: pair = []
      }
      guard pair.count == 2 else { throw list.error("entry \(i) is not a pair of tokens") }
      guard let left = vocabulary.id(of: pair[0]), let right = vocabulary.id(of: pair[1]),
        let merged = vocabulary.id(of: pair[0] + pair[1])
      else {
        throw list.error("entry \(i) merges \"\(pair[0])\" and \"\(pair[1])\", which are not all in the vocabulary")
      }
      table.set(left, right, to: MergeTable.Merge(rank: rank, id: UInt32(merged)))
      rank += 1
    }
    return table
  }

  /// The ids of a word.
  func encode(_ word: UnsafeBufferPointer<Unicode.Scalar>) -> [Int32] {
    if ignoresMerges {
      var utf8: [UInt8] = []
      for scalar in word { utf8 += UTF8.encode(scalar)! }
      if let id = utf8.withUnsafeBufferPointer({ vocabulary.id(of: $0) }) { return [id] }
    }
    var symbols = symbols(of: word)
    symbols.merge(by: merges)
    return symbols.ids
  }

  private func symbols(of word: UnsafeBufferPointer<Unicode.Scalar>) -> Symbols {
    var symbols = Symbols(capacity: word.count)
    // An unknown token is held back, since more may be fused with it; byte tokens overtake it, as in Hugging Face's
    // code.
    var waiting: Int32?
    for scalar in word {
      if let id = characters[scalar] {
        if let unknown = waiting { symbols.append(unknown) }
        waiting = nil
        symbols.append(id)
      } else if let bytes, let spelled = Self.spelled(scalar, bytes) {
        for id in spelled { symbols.append(id) }
      } else if let unknown {
        if waiting != nil, !fusesUnknown { symbols.append(unknown) }
        waiting = unknown
      }
    }
    if let unknown = waiting { symbols.append(unknown) }
    return symbols
  }

  private static func spelled(_ scalar: Unicode.Scalar, _ bytes: [Int32?]) -> [Int32]? {
    let ids = UTF8.encode(scalar)!.map { bytes[Int($0)] }
    return ids.contains(nil) ? nil : ids.map { $0! }
  }
}
