import Base
import TestModels
import Testing
import Text

@Suite struct TokenizerTests {
  @Test func fixturesAreThere() { #expect(TokenizerCase.names.count == 12) }

  @Test(arguments: TokenizerCase.names) func idsAndTextsAreThoseOfHuggingFace(name: String) throws {
    let folder = "\(TokenizerCase.fixtures)/\(name)"
    let tokenizer = try Tokenizer(folder: folder)
    for row in try TokenizerCase.load(folder) {
      let difference = row.difference(tokenizer)
      #expect(difference == nil, "\(difference ?? "")")
    }
  }

  @Test(arguments: TokenizerCase.names) func textThatComesInPiecesIsTheWholeText(name: String) throws {
    let folder = "\(TokenizerCase.fixtures)/\(name)"
    let tokenizer = try Tokenizer(folder: folder)
    for row in try TokenizerCase.load(folder) {
      var decoder = tokenizer.decoder(skipSpecialTokens: true)
      var text = ""
      for id in row.ids {
        let piece = decoder.append(id)
        // Half a character is held back, so nothing is replaced that is whole later.
        if row.text != nil, !row.skipped.contains("\u{FFFD}") { #expect(!piece.contains("\u{FFFD}")) }
        text += piece
      }
      text += decoder.finish()
      #expect(text.isSame(as: row.skipped), "\(row.ids)")
    }
  }

  @Test func entriesByIdAndBack() throws {
    let tokenizer = try Tokenizer(folder: "\(TokenizerCase.fixtures)/smollm2")
    let id = try #require(tokenizer.id(of: "Ġt"))
    #expect(tokenizer.token(id) == "Ġt")
    let mark = try #require(tokenizer.id(of: "<|im_end|>"))
    #expect(tokenizer.isSpecial(mark) && !tokenizer.isSpecial(id))
    #expect(tokenizer.token(Int32(tokenizer.count)) == nil && tokenizer.token(-1) == nil)
    #expect(tokenizer.token(Int32(tokenizer.count) - 1) != nil)
    #expect(tokenizer.id(of: "no such entry") == nil)
  }

  @Test func precomposedAndDecomposedEntriesAreTwo() throws {
    let tokenizer = try tokenizer(
      vocabulary: ["é": 0, "e\u{301}": 1, "e": 2, "\u{301}": 3], merges: [["e", "\u{301}"]])
    #expect(tokenizer.encode("é") == [0])
    #expect(tokenizer.encode("e\u{301}") == [1])
  }

  @Test func aLongWordIsMergedInTime() throws {
    let tokenizer = try Tokenizer(folder: "\(TokenizerCase.fixtures)/llama2")
    // One word of 40,000 characters, as Llama 2 sees it.
    let text = String(repeating: "the lazy dog ", count: 3_000)
    let ids = tokenizer.encode(text)
    #expect(tokenizer.decode(ids, skipSpecialTokens: true) == text)
  }

  @Test func namesOfSpecialTokensComeFromTheFilesBeside() throws {
    let folder = try TestFolder()
    try folder.write("tokenizer.json", Self.json())
    try folder.write(
      "tokenizer_config.json", #"{"bos_token": {"__type": "AddedToken", "content": "a"}, "eos_token": "ab"}"#)
    // Where the config describes no tokens, the older file counts before it.
    try folder.write("special_tokens_map.json", #"{"eos_token": {"content": "b"}, "pad_token": "a"}"#)
    try folder.write("generation_config.json", #"{"eos_token_id": [1, 2]}"#)
    let named = try Tokenizer(folder: folder.path).named
    #expect(named.beginning == 0 && named.beginningText == "a")
    #expect(named.end == 1 && named.endText == "b")
    #expect(named.stops == [1, 2])
    #expect(named.texts == ["bos_token": "a", "eos_token": "b", "pad_token": "a"])
  }

  // MARK: Refused

  @Test func whatIsNotSupportedIsNamed() throws {
    for (change, reason) in [
      (#""normalizer": {"type": "Precompiled"}"#, #"the normalizer "Precompiled" is not supported"#),
      (#""pre_tokenizer": {"type": "Whitespace"}"#, #"the pre-tokenizer "Whitespace" is not supported"#),
      (
        #""pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\bx"}, "behavior": "Isolated"}"#,
        #"the regular expression \bx: it "\b" is not supported"#
      ),
      (
        #""pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(?<=a)b"}, "behavior": "Isolated"}"#,
        #"a group that starts with "(?<" is not supported"#
      ),
      (#""post_processor": {"type": "BertProcessing"}"#, #"the post-processor "BertProcessing" is not supported"#),
      (#""decoder": {"type": "WordPiece"}"#, #"the decoder "WordPiece" here is not supported"#),
      (#""model": {"type": "Unigram", "vocab": []}"#, #"the model "Unigram" is not supported"#),
      (#""model": {"type": "BPE", "dropout": 0.1, "vocab": {"a": 0}, "merges": []}"#, "dropout"),
      (
        #""model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {"a": 0}, "merges": []}"#,
        "a prefix or suffix of subwords is not supported"
      ),
    ] {
      let error = try #require(try refusal(change))
      #expect(error.code == .refused && error.description.contains(reason), "\(error)")
      #expect(error.remedy?.hasPrefix("supported: ") == true)
    }
  }

  @Test func whatIsNoTokenizerIsSaid() throws {
    for (change, reason) in [
      (#""model": null"#, #"has no "model""#),
      (#""model": {"type": "BPE", "vocab": {}, "merges": []}"#, "model.vocab: is empty"),
      (#""model": {"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}"#, "gives the id 0 to two tokens"),
      (#""model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}"#, "is not a number below 2^24"),
      (#""model": {"type": "BPE", "vocab": {"a": 99999999999}, "merges": []}"#, "is not a number below 2^24"),
      (#""model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}"#, "entry 0 merges \"a\" and \"b\""),
      (#""model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}"#, "entry 0 is not a pair"),
      (#""model": {"type": "BPE", "vocab": {"a": 0}, "unk_token": "x", "merges": []}"#, "\"unk_token\" is \"x\""),
      (#""decoder": null"#, #"has no "decoder""#),
      (#""version": "2.0""#, "a version other than"),
      (
        #""post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "a"}}, "#
          + #"{"Sequence": {"id": "A"}}], "special_tokens": {"a": {"ids": [9]}}}"#, "adds the unknown id 9"
      ),
    ] {
      let error = try #require(try refusal(change))
      #expect(error.code == .invalid && error.description.contains(reason), "\(error)")
    }
  }

  @Test func aFolderWithoutTokenizerSaysWhatToDo() throws {
    let folder = try TestFolder()
    let error = #expect(throws: VPatchError.self) { try Tokenizer(folder: folder.path) }
    #expect(error?.reason == "has no tokenizer.json" && error?.remedy?.contains("save_pretrained") == true)
  }

  /// A tokenizer of three letters with one member of its file changed.
  private static func json(_ change: String = "") -> String {
    let members = [
      #""version": "1.0""#, #""added_tokens": []"#, #""decoder": {"type": "ByteLevel"}"#,
      #""model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}"#,
    ]
    let key = change.prefix { $0 != ":" }
    return "{" + (members.filter { !$0.hasPrefix(key + ":") } + (change.isEmpty ? [] : [change])).joined(separator: ",")
      + "}"
  }

  private func refusal(_ change: String) throws -> VPatchError? {
    let folder = try TestFolder()
    let path = try folder.write("tokenizer.json", Self.json(change))
    return #expect(throws: VPatchError.self, "\(change)") { try Tokenizer(path: path) }
  }

  private func tokenizer(vocabulary: KeyValuePairs<String, Int>, merges: [[String]]) throws -> Tokenizer {
    let folder = try TestFolder()
    let json = JSON.dictionary([
      "decoder": .dictionary(["type": .string("ByteLevel")]),
      "model": .dictionary([
        "type": .string("BPE"), "vocab": .object(vocabulary.map { JSON.Member($0.key, JSON($0.value)) }),
        "merges": .array(merges.map { .array($0.map(JSON.string)) }),
      ]),
    ])
    return try Tokenizer(path: folder.write("tokenizer.json", json.compact()))
  }
}
