import PatchFormat

/// The class that "tokenizer_config.json" names.
///
/// transformers 5 takes vocabulary, merges, added tokens and post-processor from tokenizer.json, and the rest from the
/// class, if that has rules of its own (`tokenization_gpt2.py`, `tokenization_qwen2.py`, `tokenization_llama.py`;
/// which class it is, `tokenization_auto.py`). SmolLM2, say, says GPT2Tokenizer, which knows nothing of its Digits.
/// Older versions go by tokenizer.json alone; the two differ in rare characters ("½") and beside special tokens.
enum TokenizerClass {
  /// tokenizer.json as it is to be read.
  static func applied(to file: JSON, folder: String) throws -> JSON {
    guard let config = try ModelFile.read(folder, "tokenizer_config.json"), let name = config["tokenizer_class"]?.string
    else { return file }
    // Where a model type has a class of its own in transformers, or none with rules, that counts instead.
    let modelType = try ModelFile.read(folder, "config.json")?["model_type"]?.string
    let addsPrefix = config["add_prefix_space"]?.bool
    switch (name.hasSuffix("Fast") ? String(name.dropLast(4)) : name, modelType) {
    case ("GPT2Tokenizer", nil), ("GPT2Tokenizer", "llama"), ("GPT2Tokenizer", "gpt2"):
      return file.setting("normalizer", to: nil)
        .setting("pre_tokenizer", to: byteLevel(addsPrefix: addsPrefix ?? false, splits: true))
        .setting("decoder", to: decoder("ByteLevel")).withModel(fusesUnknown: false, hasBytes: false)
    case ("Qwen2Tokenizer", nil), ("Qwen2Tokenizer", "llama"), ("Qwen2Tokenizer", "qwen2"):
      let split = JSON.dictionary([
        "type": .string("Split"), "pattern": .dictionary(["Regex": .string(qwen2Pattern)]),
        "behavior": .string("Isolated"),
      ])
      return file.setting("normalizer", to: .dictionary(["type": .string("NFC")]))
        .setting(
          "pre_tokenizer",
          to: .dictionary([
            "type": .string("Sequence"),
            "pretokenizers": .array([split, byteLevel(addsPrefix: addsPrefix ?? false, splits: false)]),
          ])
        )
        .setting("decoder", to: decoder("ByteLevel")).withModel(fusesUnknown: false, hasBytes: false)
    case ("LlamaTokenizer", nil), ("LlamaTokenizer", "llama"):
      // Llama 3's kind under the name of Llama 2's: read as it is.
      guard !file.hasByteLevel else { return file }
      let scheme = addsPrefix == false ? "never" : config["legacy"]?.bool == true ? "always" : "first"
      let space = JSON.dictionary([
        "type": .string("Replace"), "pattern": .dictionary(["String": .string("▁")]), "content": .string(" "),
      ])
      let strip = JSON.dictionary([
        "type": .string("Strip"), "content": .string(" "), "start": JSON(1), "stop": JSON(0),
      ])
      let steps = [space, decoder("ByteFallback"), decoder("Fuse")] + (addsPrefix == false ? [] : [strip])
      return file.setting("normalizer", to: nil)
        .setting(
          "pre_tokenizer",
          to: .dictionary([
            "type": .string("Metaspace"), "replacement": .string("▁"), "prepend_scheme": .string(scheme),
            "split": .bool(false),
          ])
        )
        .setting("decoder", to: .dictionary(["type": .string("Sequence"), "decoders": .array(steps)]))
        .withModel(fusesUnknown: true, hasBytes: true)
    default: return file
    }
  }

  private static let qwen2Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  private static func decoder(_ type: String) -> JSON { .dictionary(["type": .string(type)]) }

  private static func byteLevel(addsPrefix: Bool, splits: Bool) -> JSON {
    .dictionary(["type": .string("ByteLevel"), "add_prefix_space": .bool(addsPrefix), "use_regex": .bool(splits)])
  }
}

extension JSON {
  /// The classes make their model of vocabulary and merges, with its other settings theirs.
  fileprivate func withModel(fusesUnknown: Bool, hasBytes: Bool) -> JSON {
    guard let model = self["model"], model.object != nil else { return self }
    return setting(
      "model",
      to: model.setting("unk_token", to: nil).setting("fuse_unk", to: .bool(fusesUnknown))
        .setting("byte_fallback", to: .bool(hasBytes)).setting("ignore_merges", to: .bool(false))
        .setting("dropout", to: nil).setting("continuing_subword_prefix", to: nil)
        .setting("end_of_word_suffix", to: nil))
  }

  fileprivate var hasByteLevel: Bool {
    func has(_ part: JSON?) -> Bool {
      guard let part else { return false }
      if part["type"] == .string("ByteLevel") { return true }
      return ["pretokenizers", "decoders"].contains { part[$0]?.array?.contains { has($0) } == true }
    }
    return has(self["pre_tokenizer"]) || has(self["decoder"])
  }
}
