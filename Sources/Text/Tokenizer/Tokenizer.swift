import Base
import Checkpoints

/// Converts text to ids and back, from a model's tokenizer.json (the format of Hugging Face's `tokenizers`), with the
/// ids of `AutoTokenizer` in transformers 5 (`TokenizerSetup`).
///
/// Byte-pair encoding, over bytes as in GPT-2, SmolLM2, Qwen2 and Llama 3, or over characters as in Llama 2 and
/// Mistral. A file with features that are not supported exactly as in Hugging Face's code is refused when it is read.
package final class Tokenizer: Sendable {
  package let path: String
  /// The tokens that begin and end a text, if the model's files name them.
  package let named: NamedTokens
  let model: BPE
  let added: AddedTokens
  let normalizer: Normalizer?
  let preTokenizer: PreTokenizer?
  let postProcessor: PostProcessor
  let decodingRules: DecodingRules
  let cache = WordCache()
  /// Text that must not occur, since the tokenizer class treats it specially.
  let refusedText: String?

  /// The tokenizer of a model's folder.
  package convenience init(folder: String) throws { try self.init(ModelFolder(folder)) }

  package convenience init(_ folder: ModelFolder) throws {
    guard try folder.contains(Self.fileName) else {
      throw VPatchError(
        .invalid, folder.path, "has no tokenizer.json",
        remedy: "save it with transformers (AutoTokenizer.from_pretrained(…).save_pretrained(…))")
    }
    try self.init(folder, file: Self.fileName)
  }

  static let fileName = "tokenizer.json"

  /// - Parameter path: a tokenizer.json; the files beside it are read for the names of special tokens.
  /// - Throws: `invalid` for a file that is not a tokenizer, `refused` for unsupported features.
  package convenience init(path: String) throws {
    try self.init(ModelFolder(Path.parent(path)), file: Path.name(path))
  }

  private init(_ folder: ModelFolder, file name: String) throws {
    path = folder.path(of: name)
    let setup = try TokenizerSetup(folder, file: name)
    let file = TokenizerPart(path: path, place: "", json: setup.json)
    guard file.json["version"] == nil || file.json["version"] == .string("1.0") else {
      throw file.error("has a version other than 1.0")
    }
    let model = try BPE(file.require("model"))
    normalizer = try file.part("normalizer").map(Normalizer.init)
    preTokenizer = try file.part("pre_tokenizer").map(PreTokenizer.init)
    decodingRules = try DecodingRules(file.require("decoder"))
    let added = try AddedTokens(
      setup.tokens.added, path: path, model.vocabulary, normalizer, splitsSpecial: setup.splitsSpecial)
    try preTokenizer?.check(
      behind: normalizer, cuts: added.byID.values.contains { $0.rules.isNormalized }, file)
    func id(_ token: String) -> Int32? { added.id(of: token) ?? model.vocabulary.id(of: token) }
    if let around = setup.tokens.around {
      postProcessor = PostProcessor(prefix: around.prefix.compactMap(id), suffix: around.suffix.compactMap(id))
    } else {
      postProcessor = try file.part("post_processor").map(PostProcessor.init) ?? PostProcessor()
    }
    self.model = model
    self.added = added
    refusedText = setup.refusedText
    named = try NamedTokens(folder: folder, setup.tokens, added, model.vocabulary)
    for id in postProcessor.prefix + postProcessor.suffix where token(id) == nil {
      throw file.error("post_processor: adds the unknown id \(id)")
    }
  }

  /// One more than the highest id, including added tokens. (A model's embedding may have more rows, never fewer.)
  package var count: Int { max(model.vocabulary.idEnd, Int((added.byID.keys.max() ?? -1) + 1)) }

  /// The vocabulary entry, with "Ġ" or "▁" for a space; nil for an unknown id.
  package func token(_ id: Int32) -> String? { added.byID[id]?.content ?? model.vocabulary.text(of: Int(id)) }

  /// The id of a vocabulary entry.
  package func id(of token: String) -> Int32? { added.id(of: token) ?? model.vocabulary.id(of: token) }

  /// The id of an added token, which is recognised in raw text.
  func addedID(of token: String) -> Int32? { added.id(of: token) }

  /// Whether it is a control token ("<|im_end|>") rather than text.
  package func isSpecial(_ id: Int32) -> Bool { added.byID[id].map { added.isSpecial($0.content) } ?? false }

  /// Why a text cannot be tokenized, as words that follow "the text"; nil if it can.
  package func refusal(of text: String) -> String? {
    // By bytes: with a combining mark after it, its last character would be a different one.
    guard let refusedText, text.utf8.firstRange(of: refusedText.utf8) != nil else { return nil }
    return "has \"\(refusedText.printable)\", which CodeLlamaTokenizer uses for infilling "
      + "(leave it out; or set \"fill_token\" to null in tokenizer_config.json, so that it is treated as text)"
  }
}
