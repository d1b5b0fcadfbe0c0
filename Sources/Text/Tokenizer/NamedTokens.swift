import PatchFormat

/// The tokens that begin and end a text, as the files of a model name them.
public struct NamedTokens: Sendable, Equatable {
  /// "bos_token": begins a text.
  public let beginning: Int32?
  /// "eos_token": ends one.
  public let end: Int32?
  /// What ends a generation: "eos_token", and what "generation_config.json" lists.
  public let stops: Set<Int32>
  /// "bos_token" and "eos_token" as they are written.
  public let beginningText: String?
  public let endText: String?
  /// All that are named, as templates have them: "bos_token", "pad_token" …, and their texts.
  let texts: [JSON.Member]

  /// The names that transformers has for tokens.
  private static let keys = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  /// Tokens of which only the texts are known.
  init(beginningText: String?, endText: String?) {
    (beginning, end, stops) = (nil, nil, [])
    (self.beginningText, self.endText) = (beginningText, endText)
    texts = [("bos_token", beginningText), ("eos_token", endText)].compactMap { key, text in
      text.map { JSON.Member(key, .string($0)) }
    }
  }

  /// From "tokenizer_config.json", else "special_tokens_map.json"; the end also from "generation_config.json", else
  /// "config.json".
  init(folder: String, _ added: AddedTokens, _ vocabulary: Vocabulary) throws {
    let config = try ModelFile.read(folder, "tokenizer_config.json")
    let map = try ModelFile.read(folder, "special_tokens_map.json")
    func name(_ key: String) -> String? {
      [config, map].lazy.compactMap { $0?[key] }.compactMap { $0.string ?? $0["content"]?.string }.first
    }
    func id(_ key: String) throws -> Int32? {
      guard let text = name(key) else { return nil }
      guard let id = added.id(of: text) ?? vocabulary.id(of: text) else {
        throw VPatchError(.invalid, folder, "its \(key) is \"\(text)\", which tokenizer.json does not have")
      }
      return id
    }
    (beginning, beginningText) = (try id("bos_token"), name("bos_token"))
    var listed: [Int32] = []
    for file in ["generation_config.json", "config.json"] {
      guard let value = try ModelFile.read(folder, file)?["eos_token_id"] else { continue }
      listed = (value.array ?? [value]).compactMap { $0.int.flatMap(Int32.init(exactly:)) }
      if !listed.isEmpty { break }
    }
    let named = try id("eos_token")
    end = named ?? listed.first
    endText = name("eos_token") ?? listed.first.flatMap { added.byID[$0]?.content ?? vocabulary.text(of: Int($0)) }
    stops = Set(listed + (named.map { [$0] } ?? []))
    texts = Self.keys.compactMap { key in name(key).map { JSON.Member(key, .string($0)) } }
  }
}
