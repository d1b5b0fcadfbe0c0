import Base
import Checkpoints
import Families

/// A folder's tokenizer as set up by `AutoTokenizer.from_pretrained` of transformers 5: tokenizer.json with its class's
/// parts, and the named tokens.
struct TokenizerSetup {
  /// tokenizer.json with the class's parts.
  let json: JSON
  let tokens: TokenizerConfig.Tokens
  /// Whether special tokens in a text are treated like other text.
  let splitsSpecial: Bool
  /// Text that must not occur: CodeLlama's placeholder for infilling.
  let refusedText: String?

  /// In bytes; the largest known have 34 MB.
  private static let sizeLimit = 256 << 20

  /// - Parameter name: of the tokenizer.json; the files beside it are read, too.
  init(_ folder: ModelFolder, file name: String) throws {
    let path = folder.path(of: name)
    let bytes = try folder.contents(of: name, limit: Self.sizeLimit)
    let json = try JSON.parse(bytes, file: path)
    guard json.object != nil else { throw VPatchError(.invalid, path, "is not a tokenizer: it is not a JSON object") }
    let file = TokenizerPart(path: path, place: "", json: json)
    let listed = try file.part("added_tokens") == nil ? [] : file.elements("added_tokens")
    let config = try TokenizerConfig(folder: folder, listed: listed)
    try config.checkSupported(folder: folder, file)
    let kind = try TokenizerClass(folder: folder) {
      bytes.firstPlace(of: Array("\"ByteLevel\"".utf8), in: 0..<bytes.count) != nil
    }
    tokens = try config.tokens(
      kind, listed: listed.map(AddedToken.init(listed:)), hasPostProcessor: file.part("post_processor") != nil)
    self.json = try kind.applied(to: json, config, unknown: tokens.content("unk_token"))
    splitsSpecial = try config.bool("split_special_tokens") ?? false
    if kind == .codeLlama, case let fill? = config.fillToken, !fill.isEmpty {
      refusedText = fill
    } else {
      refusedText = nil
    }
  }
}

extension TokenizerConfig {
  /// CodeLlama's "fill_token": its default, unless the files define another token or none.
  fileprivate var fillToken: String? {
    guard let value = self["fill_token"] else { return "<FILL_ME>" }
    return value.content
  }

  /// - Throws: `refused` for settings whose effect in transformers is not supported.
  fileprivate func checkSupported(folder: ModelFolder, _ file: TokenizerPart) throws {
    func refused(_ key: String, _ what: String, _ remedy: String) -> VPatchError {
      VPatchError(.refused, part.path, "\"\(key)\" \(what), which is not supported", remedy: remedy)
    }
    if let map = part.json["auto_map"], map.array != nil || map["AutoTokenizer"] != nil {
      throw refused(
        "auto_map", "requires custom code",
        "remove \"AutoTokenizer\" from it, to use a transformers class with tokenizer.json")
    }
    if let files = part.part("fast_tokenizer_files")?.json.array?.compactMap(\.string),
      let other = files.first(where: { $0 != "tokenizer.json" })
    {
      throw refused(
        "fast_tokenizer_files", "uses \"\(other.printable)\" instead of tokenizer.json",
        "remove it, and rename the right file to tokenizer.json")
    }
    if let inputs = part.part("init_inputs"), inputs.json.array?.isEmpty != true {
      throw refused("init_inputs", "sets arguments of the class", "remove it")
    }
    let cleaning = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"
    if try bool(cleaning) == true, try bool("clean_up_tokenization_spaces") == true {
      throw refused(cleaning, "removes spaces from decoded texts", "remove it")
    }
    if try bool("fix_mistral_regex") == true {
      throw refused(
        "fix_mistral_regex", "may replace the pre-tokenizer",
        "save the tokenizer with transformers (save_pretrained), and remove it")
    }
    if case .other(.null)? = self["split_special_tokens"] {
      throw part.error("\"split_special_tokens\" is neither true nor false")
    }
  }
}
