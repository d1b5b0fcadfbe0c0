import Base
import Checkpoints
import Families
import Foundation

/// A folder's tokenizer as `AutoTokenizer.from_pretrained` of transformers 5 sets it up: tokenizer.json with the parts of
/// its class, and the tokens that its files name.
struct TokenizerSetup {
  /// tokenizer.json as it is to be read.
  let json: JSON
  let tokens: TokenizerConfig.Tokens
  /// Whether special tokens in a text are text like any other.
  let splitsSpecial: Bool
  /// What a text may not hold: CodeLlama's mark for what is to be filled in.
  let refusedText: String?

  /// Larger than any there is: the largest have 34 MB.
  private static let sizeLimit = 256 << 20

  /// - Parameter name: of the tokenizer.json; the files beside it are read, too.
  init(_ folder: ModelFolder, file name: String) throws {
    let path = folder.path(of: name)
    let bytes = try folder.contents(of: name, limit: Self.sizeLimit)
    let json = try JSON.parse(bytes, file: path)
    guard json.object != nil else { throw VPatchError(.invalid, path, "is not a tokenizer: no object") }
    let file = TokenizerPart(path: path, place: "", json: json)
    let listed = try file.part("added_tokens") == nil ? [] : file.elements("added_tokens")
    let config = try TokenizerConfig(folder: folder, listed: listed)
    try config.checkSupported(folder: folder, file)
    let kind = try TokenizerClass(folder: folder) {
      Data(bytes).firstRange(of: Data("\"ByteLevel\"".utf8)) != nil
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
  /// "fill_token" as CodeLlama takes it: its own, unless the files have another token or none.
  fileprivate var fillToken: String? {
    guard let value = self["fill_token"] else { return "<FILL_ME>" }
    return value.content
  }

  /// - Throws: `refused` for members that make transformers do what is not done here.
  fileprivate func checkSupported(folder: ModelFolder, _ file: TokenizerPart) throws {
    func refused(_ key: String, _ what: String, _ remedy: String) -> VPatchError {
      VPatchError(.refused, part.path, "\"\(key)\" \(what), which is not supported", remedy: remedy)
    }
    if let map = part.json["auto_map"], map.array != nil || map["AutoTokenizer"] != nil {
      throw refused(
        "auto_map", "asks for a tokenizer in code of the model's own",
        "take \"AutoTokenizer\" out of it to read tokenizer.json by a class of transformers")
    }
    if let files = part.part("fast_tokenizer_files")?.json.array?.compactMap(\.string),
      let other = files.first(where: { $0 != "tokenizer.json" })
    {
      throw refused(
        "fast_tokenizer_files", "names \"\(other.printable)\" in place of tokenizer.json",
        "take it out, and leave the file that counts as tokenizer.json")
    }
    if let inputs = part.part("init_inputs"), inputs.json.array?.isEmpty != true {
      throw refused("init_inputs", "gives the class arguments", "take it out")
    }
    let cleaning = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"
    if try bool(cleaning) == true, try bool("clean_up_tokenization_spaces") == true {
      throw refused(cleaning, "takes spaces out of decoded texts", "take it out")
    }
    if try bool("fix_mistral_regex") == true {
      throw refused(
        "fix_mistral_regex", "may replace the pre-tokenizer",
        "save the tokenizer with transformers (save_pretrained), and take it out")
    }
    if case .other(.null)? = self["split_special_tokens"] {
      throw part.error("\"split_special_tokens\" is neither true nor false")
    }
  }
}
