import Base
import Checkpoints
import Families

extension TokenizerClass {
  /// Other names of `TokenizersBackend`.
  private static let backendNames = [
    "PreTrainedTokenizerFast", "PreTrainedTokenizer", "PythonBackend", "BloomTokenizer",
  ]

  /// The class of a folder's tokenizer.
  /// - Parameter hasByteLevel: whether tokenizer.json contains the word "ByteLevel".
  /// - Throws: `refused` for a combination of model type and class whose rules are unknown.
  init(folder: ModelFolder, hasByteLevel: () -> Bool) throws {
    let config = try folder.json("config.json")
    let tokenizerConfig = try folder.json("tokenizer_config.json")
    let type = config?["model_type"]?.string ?? ""
    let inTokenizer = tokenizerConfig?["tokenizer_class"]?.string
    guard let choice = TokenizerChoice.all[type] else {
      throw VPatchError(
        .refused, folder.path, "has the model type \"\(type.printable)\", whose tokenizers are not supported",
        remedy: "supported are \(TokenizerChoice.all.keys.filter { !$0.isEmpty }.sorted().joined(separator: ", "))")
    }
    let name = inTokenizer ?? config?["tokenizer_class"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    switch choice {
    // transformers treats an empty name as unknown.
    case .always(let only) where name?.isEmpty != true: self = only
    case .named(otherwise: let only) where name == nil: self = only
    default: try self.init(name: name ?? "", folder.path, type, hasByteLevel, isInTokenizer: inTokenizer != nil)
    }
  }

  private init(name: String, _ folder: String, _ type: String, _ hasByteLevel: () -> Bool, isInTokenizer: Bool)
    throws
  {
    let plain = name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
    if Self.backendNames.contains(where: { $0 == name || $0 == plain }) && (isInTokenizer || name != plain) {
      self = .backend
    } else if let known = Self(rawValue: plain) {
      // A tokenizer of Llama 3's kind under the name of Llama 2's is read as it is.
      self = known == .llama && hasByteLevel() ? .backend : known
    } else {
      throw VPatchError(
        .refused, folder,
        "names the tokenizer class \"\(name.printable)\""
          + (type.isEmpty ? "" : " for the model type \(type)") + ", which is not supported",
        remedy: "supported are \(Self.allCases.map(\.rawValue).joined(separator: ", ")) and PreTrainedTokenizerFast; "
          + "the last, as \"tokenizer_class\" of tokenizer_config.json, uses tokenizer.json alone")
    }
  }
}
