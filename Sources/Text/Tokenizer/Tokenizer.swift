import PatchFormat

/// Text to ids and back, from a model's tokenizer.json (the format of Hugging Face's `tokenizers`), with the same ids:
/// those of `AutoTokenizer` in transformers 5 (`TokenizerClass`).
///
/// Byte-pair encoding, over bytes as in GPT-2, SmolLM2, Qwen2 and Llama 3, or over characters as in Llama 2 and
/// Mistral. What a file asks for and this cannot do as Hugging Face does is an error when it is read.
public final class Tokenizer: Sendable {
  public let path: String
  /// The tokens that begin and end a text, where the model's files name them.
  public let named: NamedTokens
  let model: BPE
  let added: AddedTokens
  let normalizer: Normalizer?
  let preTokenizer: PreTokenizer?
  let postProcessor: PostProcessor
  let decodingRules: DecodingRules
  let cache = WordCache()

  /// Larger than any there is: the largest have 34 MB.
  private static let sizeLimit = 256 << 20

  /// The tokenizer of a model's folder.
  public convenience init(folder: String) throws {
    let path = Path.join(folder, "tokenizer.json")
    guard try PathKind.of(path) != .missing else {
      throw VPatchError(
        .invalid, folder, "has no tokenizer.json",
        remedy: "save it with transformers (AutoTokenizer.from_pretrained(…).save_pretrained(…))")
    }
    try self.init(path: path)
  }

  /// - Parameter path: a tokenizer.json; the files beside it are looked at for the names of special tokens.
  /// - Throws: `invalid` for a file that is not a tokenizer, `refused` for one that asks for what is not supported.
  public init(path: String) throws {
    self.path = path
    let json = try ModelFile.read(path, limit: Self.sizeLimit)
    guard json.object != nil else { throw VPatchError(.invalid, path, "is not a tokenizer: no object") }
    let file = TokenizerPart(
      path: path, place: "", json: try TokenizerClass.applied(to: json, folder: Path.parent(path)))
    guard json["version"] == nil || json["version"] == .string("1.0") else {
      throw file.error("is of another version than 1.0")
    }
    let model = try BPE(file.require("model"))
    normalizer = try file.part("normalizer").map(Normalizer.init)
    preTokenizer = try file.part("pre_tokenizer").map(PreTokenizer.init)
    postProcessor = try file.part("post_processor").map(PostProcessor.init) ?? PostProcessor()
    decodingRules = try DecodingRules(file.require("decoder"))
    added = try AddedTokens(
      file.part("added_tokens") == nil ? [] : file.elements("added_tokens"), model.vocabulary, normalizer)
    self.model = model
    named = try NamedTokens(folder: Path.parent(path), added, model.vocabulary)
    for id in postProcessor.prefix + postProcessor.suffix where token(id) == nil {
      throw file.error("post_processor: adds the id \(id), which no token has")
    }
  }

  /// One more than the highest id, of added tokens too. (A model's embedding may have more rows, never fewer.)
  public var count: Int { max(model.vocabulary.idEnd, Int((added.byID.keys.max() ?? -1) + 1)) }

  /// The entry of the vocabulary as it stands there: with "Ġ" or "▁" for a space; nil where the id has none.
  public func token(_ id: Int32) -> String? { added.byID[id]?.content ?? model.vocabulary.text(of: Int(id)) }

  /// The id of an entry as it stands in the vocabulary.
  public func id(of token: String) -> Int32? { added.id(of: token) ?? model.vocabulary.id(of: token) }

  /// The id of a token that is looked for in a text before anything else is.
  func addedID(of token: String) -> Int32? { added.id(of: token) }

  /// Whether it is a mark ("<|im_end|>") rather than text.
  public func isSpecial(_ id: Int32) -> Bool { added.byID[id]?.isSpecial ?? false }
}
