import Base
import TestModels
import Testing
import Text

/// Damaged tokenizer.json files are refused or read, and never crash.
@Suite struct HostileTokenizerTests {
  private static let file = #"""
    {"version": "1.0",
    "added_tokens": [{"id": 3, "content": "<s>", "special": true, "normalized": false, "single_word": false,
      "lstrip": true, "rstrip": true}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Prepend", "prepend": "a"},
      {"type": "Replace", "pattern": {"Regex": "b{1,3}|(?i:x)[^\\s\\p{L}-]?"}, "content": "a"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
      {"type": "Split", "pattern": {"Regex": " ?\\p{L}+|\\s+(?!\\S)|\\s+"}, "behavior": "MergedWithNext", "invert": false},
      {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": true},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]},
    "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}},
      {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [3]}}},
    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "unk_token": "a", "fuse_unk": true, "byte_fallback": true, "ignore_merges": true,
      "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}
    """#

  @Test func theUndamagedFileIsRead() throws {
    let folder = try TestFolder()
    let tokenizer = try Tokenizer(path: folder.write("tokenizer.json", Self.file))
    #expect(tokenizer.encode("b <s>  c") == [3, 0, 0, 3, 0, 0])
  }

  @Test func damagedFilesDoNotCrash() throws {
    let folder = try TestFolder()
    let original = Array(Self.file.utf8)
    let pieces = [
      "0", "9", "-1", "{", "}", "\"", "[", "]", "(", ")", "*", "+", "\\\\", "null", "true", "a", "1e9", "▁", ",",
    ]
    var random = TestRandom(3)
    var read = 0
    for _ in 0..<600 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let length = Int.random(in: 0...min(3, bytes.count - place), using: &random)
        bytes.replaceSubrange(place..<place + length, with: Array(pieces.randomElement(using: &random)!.utf8))
      }
      let path = try folder.write("tokenizer.json", bytes)
      do {
        let tokenizer = try Tokenizer(path: path)
        let ids = tokenizer.encode("ab <s> bbé\u{301} 12 xx ▁ 🙂\n") + [-1, 99]
        _ = tokenizer.decode(ids, skipSpecialTokens: false)
        read += 1
      } catch is VPatchError {
      }
    }
    #expect(read > 20)
  }

  @Test func damagedFilesBesideItDoNotCrash() throws {
    let folder = try TestFolder()
    try folder.write("tokenizer.json", Self.file)
    let originals = [
      "config.json": #"{"model_type": "llama"}"#,
      "tokenizer_config.json": #"{"tokenizer_class": "CodeLlamaTokenizer", "unk_token": "a", "bos_token": {"__type": "#
        + #""AddedToken", "content": "b", "lstrip": true}, "x_token": "c", "extra_special_tokens": {"y": "d"}, "#
        + #""model_specific_special_tokens": {"z": "e"}, "add_prefix_space": true, "eos_token": null}"#,
      "special_tokens_map.json": #"{"pad_token": {"content": "f"}, "extra_special_tokens": ["g", {"content": "h"}]}"#,
      "added_tokens.json": #"{"i": 7, "b": 1}"#,
    ]
    for (name, text) in originals { try folder.write(name, text) }
    let pieces = ["0", "-1", "{", "}", "\"", "[", "]", "null", "true", "a", "1e9", ",", ":", #""__type""#, "CodeLlama"]
    var random = TestRandom(5)
    var read = 0
    for _ in 0..<300 {
      let (name, text) = originals.sorted { $0.key < $1.key }.randomElement(using: &random)!
      var bytes = Array(text.utf8)
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let length = Int.random(in: 0...min(8, bytes.count - place), using: &random)
      bytes.replaceSubrange(place..<place + length, with: Array(pieces.randomElement(using: &random)!.utf8))
      try folder.write(name, bytes)
      do {
        let tokenizer = try Tokenizer(folder: folder.path)
        _ = tokenizer.decode(tokenizer.encode("ab <s> bb c d \u{301}"), skipSpecialTokens: true)
        read += 1
      } catch is VPatchError {
      }
      try folder.write(name, text)
    }
    #expect(read > 10)
  }
}
