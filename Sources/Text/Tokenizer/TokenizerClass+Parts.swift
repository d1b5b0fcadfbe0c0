import Base
import Families

/// Each class's own parts, which replace those of tokenizer.json (`tokenization_gpt2.py`, `_qwen2`, `_qwen3_5`,
/// `_llama`, `_code_llama`, `_gemma`, `_cohere`, `_gpt_neox`).
extension TokenizerClass {
  /// The tokens that a class defines if the files do not.
  var defaultTokens: KeyValuePairs<String, String> {
    switch self {
    case .backend: [:]
    case .gpt2: ["unk_token": Self.endOfText, "bos_token": Self.endOfText, "eos_token": Self.endOfText]
    case .qwen2, .qwen35: ["unk_token": Self.endOfText, "eos_token": Self.endOfText, "pad_token": Self.endOfText]
    case .llama: ["unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"]
    case .codeLlama:
      [
        "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "prefix_token": "▁<PRE>",
        "middle_token": "▁<MID>", "suffix_token": "▁<SUF>", "eot_token": "▁<EOT>", "fill_token": "<FILL_ME>",
      ]
    case .gemma:
      [
        "unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "mask_token": "<mask>",
      ]
    case .cohere:
      [
        "unk_token": "<UNK>", "bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>", "pad_token": "<PAD>",
        "cls_token": "<CLS>", "sep_token": "<SEP>", "mask_token": "<MASK_TOKEN>",
      ]
    case .gptNeoX:
      [
        "unk_token": Self.endOfText, "bos_token": Self.endOfText, "eos_token": Self.endOfText,
        "pad_token": "<|padding|>",
      ]
    }
  }

  private static let endOfText = "<|endoftext|>"

  /// tokenizer.json with the class's own parts.
  /// - Parameter unknown: the unknown token.
  func applied(to file: JSON, _ config: TokenizerConfig, unknown: String?) throws -> JSON {
    if self == .backend { return file }
    if [.gpt2, .cohere, .gptNeoX].contains(self), case .other(.null)? = config["add_prefix_space"] {
      throw config.part.error(
        "\"add_prefix_space\" is null, which \(rawValue) does not support", remedy: "leave it out, or set it to false")
    }
    let addsPrefix = try config.bool("add_prefix_space")
    switch self {
    case .backend: return file
    case .gpt2, .gptNeoX:
      return file.setting("normalizer", to: self == .gpt2 ? nil : .part("NFC"))
        .setting("pre_tokenizer", to: .byteLevel(addsPrefix: addsPrefix ?? false, splits: true))
        .setting("decoder", to: .part("ByteLevel")).withModel()
    case .cohere:
      return file.setting("normalizer", to: .part("NFC"))
        .setting(
          "pre_tokenizer",
          to: .sequence(
            "pretokenizers",
            [
              .part("Digits", ["individual_digits": .bool(true)]),
              .byteLevel(addsPrefix: addsPrefix ?? false, splits: true),
            ])
        )
        .setting("decoder", to: .part("ByteLevel")).withModel()
    case .qwen2, .qwen35:
      let split = JSON.part(
        "Split",
        [
          "pattern": .dictionary(["Regex": .string(self == .qwen2 ? Self.qwen2Pattern : Self.qwen35Pattern)]),
          "behavior": .string("Isolated"),
        ])
      return file.setting("normalizer", to: .part("NFC"))
        .setting(
          "pre_tokenizer",
          to: .sequence("pretokenizers", [split, .byteLevel(addsPrefix: addsPrefix ?? false, splits: false)])
        )
        .setting("decoder", to: .part("ByteLevel")).withModel()
    case .llama, .codeLlama:
      let isLegacy = try self == .llama && config.bool("legacy") == true
      let scheme = addsPrefix == false ? "never" : isLegacy ? "always" : "first"
      let strip = JSON.part("Strip", ["content": .string(" "), "start": JSON(1), "stop": JSON(0)])
      let strips = addsPrefix != false || self == .codeLlama
      return file.setting("normalizer", to: nil)
        .setting(
          "pre_tokenizer",
          to: .part(
            "Metaspace",
            ["replacement": .string("▁"), "prepend_scheme": .string(scheme), "split": .bool(false)])
        )
        .setting("decoder", to: .sequence("decoders", JSON.spaces + (strips ? [strip] : [])))
        .withModel(hasBytes: true, unknown: self == .llama ? nil : unknown ?? "None")
    case .gemma:
      return file.setting("normalizer", to: .replacing(" ", by: "▁"))
        .setting(
          "pre_tokenizer",
          to: .part(
            "Split",
            ["pattern": .dictionary(["String": .string(" ")]), "behavior": .string("MergedWithPrevious")])
        )
        .setting("decoder", to: .sequence("decoders", JSON.spaces))
        .withModel(hasBytes: true, unknown: unknown ?? "None")
    }
  }

  private static let qwen2Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let qwen35Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
}

extension JSON {
  fileprivate static func part(_ type: String, _ members: KeyValuePairs<String, JSON> = [:]) -> JSON {
    .object([Member("type", .string(type))] + members.map { Member($0.key, $0.value) })
  }

  fileprivate static func sequence(_ key: String, _ parts: [JSON]) -> JSON {
    .object([Member("type", .string("Sequence")), Member(key, .array(parts))])
  }

  fileprivate static func byteLevel(addsPrefix: Bool, splits: Bool) -> JSON {
    .part("ByteLevel", ["add_prefix_space": .bool(addsPrefix), "use_regex": .bool(splits)])
  }

  fileprivate static func replacing(_ text: String, by other: String) -> JSON {
    .part("Replace", ["pattern": .dictionary(["String": .string(text)]), "content": .string(other)])
  }

  /// Decoders that turn "▁" into spaces and byte tokens into characters.
  fileprivate static let spaces: [JSON] = [.replacing("▁", by: " "), .part("ByteFallback"), .part("Fuse")]

  /// The model is made from vocabulary and merges, with the class's own settings.
  fileprivate func withModel(hasBytes: Bool = false, unknown: String? = nil) -> JSON {
    guard let model = self["model"], model.object != nil else { return self }
    return setting(
      "model",
      to: model.setting("unk_token", to: unknown.map(JSON.string)).setting("fuse_unk", to: .bool(hasBytes))
        .setting("byte_fallback", to: .bool(hasBytes)).setting("ignore_merges", to: .bool(false))
        .setting("dropout", to: nil).setting("continuing_subword_prefix", to: nil)
        .setting("end_of_word_suffix", to: nil))
  }
}
