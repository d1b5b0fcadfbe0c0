import Base
import Checkpoints
import Families
import TestModels
import Testing

@testable import Text

/// Folders by chance, one for each pair of model type and tokenizer class, with what transformers makes of texts
/// (`bench/tokenizer_folders.py --fixture`).
@Suite struct TokenizerFolderTests {
  @Test func idsAndTextsAreThoseOfTransformers() throws {
    var pairs = Set<String>()
    var refused: [String] = []
    try InputFile(path: "\(TokenizerCase.fixtures)/folders.jsonl").forEachLine(limit: 1 << 20) { _, line in
      let json = try JSON.parse(line)
      let pair = try #require(json["pair"]?.string)
      pairs.insert(pair)
      let folder = try Self.folder(json)
      let tokenizer: Tokenizer
      do {
        tokenizer = try Tokenizer(folder: folder.path)
      } catch let error as VPatchError {
        refused.append("\(pair): \(error.description)")
        return
      }
      for row in try #require(json["cases"]?.array).map(TokenizerCase.init) {
        let difference = row.difference(tokenizer)
        #expect(difference == nil, "\(pair): \(difference ?? "")")
      }
    }
    #expect(pairs.count == TokenizerChoice.all.count * (TokenizerClass.allCases.count + 1))
    // Refused are Metaspace behind some normalizers, and tokens that are the same once normalized.
    #expect(refused.count * 20 <= pairs.count, "\(refused)")
  }

  /// The tokenizer that a line names, with its changes and files.
  private static func folder(_ line: JSON) throws -> TestFolder {
    let folder = try TestFolder()
    let base = try #require(line["base"]?.string)
    var file = try #require(try ModelFolder("\(TokenizerCase.fixtures)/\(base)").json("tokenizer.json"))
    for change in try #require(line["changes"]?.object) {
      var value = change.value
      if change.key == "model" {
        value = try #require(file["model"])
        for setting in change.value.object ?? [] { value = value.setting(setting.key, to: setting.value) }
      }
      file = file.setting(change.key, to: value)
    }
    try folder.write("tokenizer.json", file.compact())
    for other in try #require(line["files"]?.object) { try folder.write(other.key, other.value.compact()) }
    return folder
  }

  // MARK: Each file on its own

  /// Tokens that a file beside tokenizer.json names are found, with the flags that it gives them.
  @Test(arguments: [
    ("tokenizer_config.json", #"{"added_tokens_decoder": {"3": {"content": "<x>", "lstrip": true, "special": true}}}"#),
    ("tokenizer_config.json", #"{"additional_special_tokens": ["<x", "<x>"]}"#),
    ("tokenizer_config.json", #"{"extra_special_tokens": {"image_token": "<x>"}}"#),
    ("tokenizer_config.json", #"{"eos_token": "<x>"}"#),
    ("tokenizer_config.json", #"{"video_token": "<x>"}"#),
    ("special_tokens_map.json", #"{"pad_token": {"content": "<x>"}}"#),
    ("special_tokens_map.json", #"{"extra_special_tokens": [{"content": "<x>"}]}"#),
    ("added_tokens.json", #"{"<x>": 99}"#),
  ]) func aTokenBesideTokenizerJSONIsFound(name: String, text: String) throws {
    let folder = try Self.smallFolder([name: text])
    let tokenizer = try Tokenizer(folder: folder.path)
    let id = try #require(tokenizer.id(of: "<x>"))
    #expect(id >= 3)
    #expect(tokenizer.encode("a<x>b") == [0, id, 1])
    #expect(tokenizer.isSpecial(id) == (name != "added_tokens.json"))
  }

  @Test func theOlderFilesCountOnlyWhereTheConfigDescribesNoTokens() throws {
    let older = ["special_tokens_map.json": #"{"eos_token": "b"}"#, "added_tokens.json": #"{"<x>": 3}"#]
    let config = #""eos_token": "a", "bos_token": "a""#
    let read = try Self.tokenizer(older.merging(["tokenizer_config.json": "{\(config)}"]) { $1 })
    #expect(read.named.endText == "b" && read.named.beginningText == "a" && read.id(of: "<x>") == 3)
    let described = ["tokenizer_config.json": "{\(config), \"added_tokens_decoder\": {}}"]
    let ignored = try Self.tokenizer(older.merging(described) { $1 })
    #expect(ignored.named.endText == "a" && ignored.id(of: "<x>") == nil)
  }

  @Test func specialTokensMayBeTextLikeAnyOther() throws {
    for (splits, ids) in [(true, [0, 2]), (false, [3, 1])] as [(Bool, [Int32])] {
      let config = #"{"split_special_tokens": \#(splits), "eos_token": "aa"}"#
      #expect(try Self.tokenizer(["tokenizer_config.json": config]).encode("aab") == ids)
    }
  }

  // MARK: Classes

  @Test(arguments: [
    ("llama", "LlamaTokenizerFast", false, TokenizerClass.llama), ("llama", "LlamaTokenizer", true, .backend),
    ("llama", "", true, .backend), ("llama", "Qwen2Tokenizer", true, .qwen2),
    ("mistral", "LlamaTokenizer", false, .backend),
    ("qwen2", "LlamaTokenizer", false, .qwen2), ("qwen2", "NoTokenizer", false, .qwen2), ("qwen2", "", false, .qwen2),
    ("qwen2_5_vl", "", false, .qwen2), ("qwen2_5_vl", "PreTrainedTokenizerFast", false, .backend),
    ("llava", "Qwen2Tokenizer", false, .backend), ("llava_onevision", "Qwen2TokenizerFast", false, .qwen2),
    ("", "GPT2TokenizerFast", true, .gpt2), ("llava_llama", "CodeLlamaTokenizer", false, .codeLlama),
  ]) func theClassFollowsFromBoth(type: String, name: String, hasBytes: Bool, expected: TokenizerClass) throws {
    let folder = try TestFolder()
    if !type.isEmpty { try folder.write("config.json", #"{"model_type": "\#(type)"}"#) }
    if !name.isEmpty { try folder.write("tokenizer_config.json", #"{"tokenizer_class": "\#(name)"}"#) }
    #expect(try TokenizerClass(folder: ModelFolder(folder.path)) { hasBytes } == expected)
  }

  /// What is refused, and that its remedy helps.
  @Test func anUnknownPairIsRefusedByName() throws {
    let folder = try Self.smallFolder(["tokenizer_config.json": #"{"tokenizer_class": "T5TokenizerFast"}"#])
    try folder.write("config.json", #"{"model_type": "llama"}"#)
    let error = #expect(throws: VPatchError.self) { try Tokenizer(folder: folder.path) }
    let reason = "names the tokenizer class \"T5TokenizerFast\" for the model type llama, which is not supported"
    #expect(error?.reason == reason)
    #expect(error?.remedy?.contains("PreTrainedTokenizerFast") == true)
    try folder.write("tokenizer_config.json", #"{"tokenizer_class": "PreTrainedTokenizerFast"}"#)
    #expect(try Tokenizer(folder: folder.path).encode("ab") == [2])
    try folder.write("config.json", #"{"model_type": "bert"}"#)
    let other = #expect(throws: VPatchError.self) { try Tokenizer(folder: folder.path) }
    #expect(other?.reason == "has the model type \"bert\", whose tokenizers are not supported")
  }

  @Test(arguments: [
    (#""auto_map": {"AutoTokenizer": ["a.B", null]}"#, "custom code"),
    (#""fast_tokenizer_files": ["tokenizer.4.0.json"]"#, "instead of tokenizer.json"),
    (#""init_inputs": ["a"]"#, "arguments"), (#""fix_mistral_regex": true"#, "pre-tokenizer"),
    (#""eos_token": {"content": "a"}"#, #"with "__type": "AddedToken""#),
    (#""extra_special_tokens": [{"content": "a"}]"#, #"with "__type": "AddedToken""#),
    (#""split_special_tokens": null"#, "neither true nor false"),
    (#""added_tokens_decoder": {"x": {"content": "a"}}"#, "is not an id"),
    (
      #""clean_up_tokenization_spaces": true, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": true"#,
      "removes spaces"
    ),
  ]) func whatTransformersRefusesOrDoesOtherwiseIsRefused(member: String, reason: String) throws {
    let folder = try Self.smallFolder(["tokenizer_config.json": "{\(member)}"])
    let error = #expect(throws: VPatchError.self) { try Tokenizer(folder: folder.path) }
    #expect(error?.reason.contains(reason) == true, "\(error?.description ?? "")")
    try folder.write("tokenizer_config.json", "{}")
    _ = try Tokenizer(folder: folder.path)
  }

  @Test func aTextThatCodeLlamaFillsInIsRefusedAndTheRemedyHelps() throws {
    let fill = #"{"tokenizer_class": "CodeLlamaTokenizer", "unk_token": "a""#
    let folder = try Self.smallFolder(["tokenizer_config.json": fill + "}"])
    let text = "a<FILL_ME>"
    #expect(try Tokenizer(folder: folder.path).refusal(of: text)?.contains(#"has "<FILL_ME>""#) == true)
    #expect(try Tokenizer(folder: folder.path).refusal(of: text + "\u{301}") != nil)
    #expect(try Tokenizer(folder: folder.path).refusal(of: "ab") == nil)
    try folder.write("tokenizer_config.json", fill + #", "fill_token": null}"#)
    #expect(try Tokenizer(folder: folder.path).refusal(of: text) == nil)
  }

  @Test func aClassesOwnEndTokenThatNoFileNamesIsNotTheEnd() throws {
    let files = [
      "tokenizer_config.json": #"{"tokenizer_class": "Qwen2Tokenizer"}"#,
      "generation_config.json": #"{"eos_token_id": 1}"#,
    ]
    let named = try Self.tokenizer(files).named
    #expect(named.end == 1 && named.stops == [1] && named.endText == "<|endoftext|>")
  }

  @Test func tokensThatAreTheSameOnceNormalizedAreRefused() throws {
    let described = #"{"3": {"content": "\u00e9"}, "4": {"content": "e\u0301"}}"#
    let config = #"{"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": \#(described)}"#
    let folder = try Self.smallFolder(["tokenizer_config.json": config])
    let error = #expect(throws: VPatchError.self) { try Tokenizer(folder: folder.path) }
    #expect(error?.reason.contains("are the same text when normalized") == true)
  }

  private static func tokenizer(_ files: [String: String]) throws -> Tokenizer {
    let folder = try smallFolder(files)
    return try withExtendedLifetime(folder) { try Tokenizer(folder: folder.path) }
  }

  private static func smallFolder(_ files: [String: String]) throws -> TestFolder {
    let folder = try TestFolder()
    try folder.write(
      "tokenizer.json",
      """
      {"version": "1.0", "added_tokens": [], "decoder": {"type": "ByteLevel"},
      "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}
      """)
    for (name, text) in files { try folder.write(name, text) }
    return folder
  }
}
