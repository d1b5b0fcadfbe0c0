import PatchFormat

/// How a family of models writes a conversation as text.
///
/// The rules of the families are built in; a model's own template, a program in Jinja, is looked at only to see which of
/// them it is, and with which default system prompt and spaces.
public struct ChatTemplate: Equatable, Sendable {
  /// "llama3"; that of a recognised ChatML template is "chatml", whatever its system prompt.
  public let name: String
  let family: Family
  /// "<s>" and "</s>", where the family writes them.
  let beginning: String
  let end: String

  enum Family: Equatable, Sendable {
    /// - Parameter system: what stands in for a missing system message.
    case chatML(system: String?)
    /// - Parameter date: what is always said before the system message, in Llama 3.1 and 3.2.
    case llama3(preamble: String?)
    case llama2
    case mistral(Mistral)
    case vicuna
    case llava(Llava)
  }

  /// What the versions of Mistral's template differ in.
  struct Mistral: Equatable, Sendable {
    var open: String
    var close: String
    var beforeAnswer = ""
    var afterEnd = ""
    var trimsAnswer = false
    var system: System = .none

    /// The user's message that the system message is put into.
    enum System: Equatable, Sendable { case none, first, last }
  }

  /// The date is the one that these templates name where they are given none.
  static let llama31Preamble = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"

  /// The default system prompt of Vicuna 1.1 and 1.5 (FastChat's conversation "vicuna_v1.1").
  static let vicunaSystem =
    "A chat between a curious user and an artificial intelligence assistant. "
    + "The assistant gives helpful, detailed, and polite answers to the user's questions."

  /// What ends an answer: "<|im_end|>". A generation that answers stops there, whatever the model's files name.
  public var endOfAnswer: String {
    switch family {
    case .chatML: "<|im_end|>"
    case .llama3: "<|eot_id|>"
    case .llava(let style): style.end ?? end
    case .llama2, .mistral, .vicuna: end
    }
  }

  /// Whether what the tokenizer puts around a text goes around a conversation too. The processors of LLaVA's models leave
  /// the token that begins a text to the tokenizer; other templates write it.
  public var addsSpecialTokens: Bool { if case .llava = family { true } else { false } }

  private static let families: KeyValuePairs<String, Family> = [
    "chatml": .chatML(system: nil),
    "smollm2": .chatML(system: "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    "qwen2": .chatML(system: "You are a helpful assistant."),
    "qwen2.5": .chatML(system: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    "llama2": .llama2,
    "llama3": .llama3(preamble: nil),
    "llama3.1": .llama3(preamble: llama31Preamble),
    "mistral-v1": .mistral(Mistral(open: " [INST] ", close: " [/INST]", beforeAnswer: " ", system: .first)),
    "mistral-v3": .mistral(
      Mistral(open: "[INST] ", close: "[/INST]", beforeAnswer: " ", trimsAnswer: true, system: .last)),
    "mistral-nemo": .mistral(Mistral(open: "[INST]", close: "[/INST]", system: .last)),
    "vicuna": .vicuna,
    "qwen2.5-vl": .chatML(system: "You are a helpful assistant."),
    "llava-1.5": .llava(.vicuna),
    "llava-mistral": .llava(.mistral()),
    "llava-llama3": .llava(.llama3),
    "llava-onevision": .llava(.oneVision),
    "llava-yi": .llava(.yi),
  ]

  /// The names that `named` knows.
  public static let names = families.map(\.key)

  /// One of the built-in templates.
  /// - Parameter tokens: the model's, which some families write into the text.
  /// - Throws: `refused` for a name that is none of `names`, or a family whose tokens the model does not have.
  public static func named(_ name: String, _ tokens: NamedTokens) throws -> ChatTemplate {
    try checkName(name)
    let family = families.first { $0.key == name }!.value
    return try ChatTemplate(name: name, family, tokens, of: nil)
  }

  /// - Throws: `refused` for a name that is none of `names`.
  public static func checkName(_ name: String) throws {
    guard !names.contains(name) else { return }
    throw VPatchError(
      .refused, nil, "there is no chat template \"\(name)\"", remedy: "known are \(names.joined(separator: ", "))")
  }

  /// - Parameter path: the file that the template was recognised in, for errors.
  init(name: String, _ family: Family, _ tokens: NamedTokens, of path: String?) throws {
    self.name = name
    self.family = family
    func text(_ token: String?, _ key: String) throws -> String {
      guard let token else {
        throw VPatchError(
          .refused, path, "the chat template \"\(name)\" needs a \(key), and the model names none",
          remedy: "name it in tokenizer_config.json")
      }
      return token
    }
    let (writesBeginning, writesEnd) =
      switch family {
      case .chatML: (false, false)
      case .llama3: (true, false)
      case .llava(let style): (false, style.end == nil)
      case .llama2, .mistral, .vicuna: (true, true)
      }
    beginning = writesBeginning ? try text(tokens.beginningText, "bos_token") : ""
    end = writesEnd ? try text(tokens.endText, "eos_token") : ""
  }
}
