import Base
import Checkpoints
import Jinja

/// The text of a chat template, and its origin.
struct TemplateSource: Equatable, Sendable {
  let name: String
  let text: String
  var isBuiltIn = false
  /// The template for conversations with tools ("tool_use"), if there are several.
  var textForTools: String? = nil

  func error(_ error: TemplateError) -> VPatchError {
    VPatchError(
      .refused, name, "\(error)",
      remedy: "use another: --chat-template \(ChatTemplate.names.joined(separator: "|")), or a file")
  }

  /// All words in the template, without comments.
  var words: Set<String> {
    var words: Set<String> = []
    for text in [text, textForTools].compactMap(\.self) {
      var word: [UInt8] = []
      var rest = Array(text.utf8)[...]
      while let byte = rest.first {
        if rest.starts(with: Array("{#".utf8)), let end = rest.firstRange(of: Array("#}".utf8)) {
          rest = rest[end.upperBound...]
          continue
        }
        rest = rest.dropFirst()
        let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
        if isLetter || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
          word.append(byte)
        } else if !word.isEmpty {
          words.insert(String(decoding: word, as: UTF8.self))
          word = []
        }
      }
    }
    return words
  }

  /// Where transformers saves the second of several templates.
  private static let fileForTools = "additional_chat_templates/tool_use.jinja"

  /// In bytes; larger than any known template.
  private static let limit = 1 << 20

  /// The template of a model's folder. Files are tried in transformers' order: "chat_template.jinja", "chat_template"
  /// in "tokenizer_config.json"; before them, for a model with images, "chat_template" in "processor_config.json" and
  /// in "chat_template.json".
  /// - Throws: `refused` if there is none.
  static func of(_ folder: ModelFolder, takesImages: Bool) throws -> TemplateSource {
    for name in takesImages ? ["processor_config.json", "chat_template.json"] : [] {
      if let source = try named(folder, name) { return source }
    }
    let file = "chat_template.jinja"
    if try folder.contains(file) {
      var source = try decode(folder.contents(of: file, limit: limit), folder.path(of: file))
      if try folder.contains(fileForTools) {
        source.textForTools = try decode(
          folder.contents(of: fileForTools, limit: limit), folder.path(of: fileForTools)
        ).text
      }
      return source
    }
    if let source = try named(folder, "tokenizer_config.json") { return source }
    throw VPatchError(
      .refused, folder.path, "has no chat template",
      remedy: "choose one: --chat-template \(ChatTemplate.names.joined(separator: "|")), or a file")
  }

  static func file(_ path: String) throws -> TemplateSource {
    try decode(InputFile.contents(of: path, limit: limit), path)
  }

  private static func decode(_ bytes: [UInt8], _ path: String) throws -> TemplateSource {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw VPatchError(.invalid, path, "is not UTF-8")
    }
    return TemplateSource(name: path, text: text)
  }

  /// "chat_template" in a JSON file of the folder.
  private static func named(_ folder: ModelFolder, _ file: String) throws -> TemplateSource? {
    let path = folder.path(of: file)
    switch try folder.json(file)?["chat_template"] {
    case .string(let text): return TemplateSource(name: path, text: text)
    // Several, by name: {"name": "default", "template": …}, or {"default": …}
    case .array(let list):
      return try several(path) { name in list.first { $0["name"] == .string(name) }?["template"]?.string }
    case .object(let members): return try several(path) { name in members.first { $0.key == name }?.value.string }
    case .null, nil: return nil
    default: throw VPatchError(.invalid, path, "has a \"chat_template\" that is neither a string nor a list")
    }
  }

  private static func several(_ path: String, _ template: (String) -> String?) throws -> TemplateSource {
    guard let text = template("default") else {
      throw VPatchError(
        .refused, path, "has several chat templates, but none called \"default\"",
        remedy: "write one into a file, and give it with --chat-template FILE")
    }
    return TemplateSource(name: path, text: text, textForTools: template("tool_use"))
  }
}
