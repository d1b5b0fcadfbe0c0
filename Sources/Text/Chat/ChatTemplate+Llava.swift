extension ChatTemplate {
  /// What the templates that came with LLaVA's models in transformers' layout differ in. In all of them a message has its
  /// images first, and then its texts.
  struct Llava: Equatable, Sendable {
    /// What stands around a message.
    struct Frame: Equatable, Sendable {
      var open: String
      var close = ""
    }

    var system: Frame?
    var user: Frame
    /// Around an answer that something follows.
    var assistant: Frame
    var afterImage = ""
    var beforeText = ""
    var afterText = ""
    /// What asks for an answer.
    var prompt = ""
    /// Between that and the answer.
    var beforeAnswer = ""
    /// What ends an answer; nil for the model's `eos_token`.
    var end: String?
    /// Behind that, at the end of a conversation.
    var afterEnd = ""

    /// llava-1.5 and llava-v1.6-vicuna: `USER: <image>⏎Hello ASSISTANT:`.
    static let vicuna = Llava(
      system: Frame(open: ""), user: Frame(open: "USER: "), assistant: Frame(open: "ASSISTANT: "), afterImage: "\n",
      afterText: " ", prompt: "ASSISTANT:", beforeAnswer: " ")

    /// llava-v1.6-mistral: `[INST] <image>⏎Hello [/INST]`.
    /// - Parameters:
    ///   - hasSystem: its first version had no place for a system message.
    ///   - close: what follows an answer of the past; the models came with a misspelt "</s>".
    static func mistral(hasSystem: Bool = true, close: String = "<\\s> ") -> Llava {
      Llava(
        system: hasSystem ? Frame(open: "<<SYS>>\n", close: "\n<</SYS>>\n\n") : nil,
        user: Frame(open: "[INST] ", close: " [/INST]"), assistant: Frame(open: " ", close: close), afterImage: "\n",
        beforeAnswer: " ")
    }

    /// llama3-llava-next: `<|start_header_id|>user<|end_header_id|>⏎⏎<image>⏎Hello<|eot_id|>`.
    static let llama3: Llava = {
      func frame(_ role: String) -> Frame { Frame(open: "<|start_header_id|>\(role)<|end_header_id|>\n\n") }
      return Llava(
        system: frame("system"), user: frame("user"), assistant: frame("assistant"), beforeText: "\n",
        afterText: "<|eot_id|>", prompt: frame("assistant").open, end: "<|eot_id|>")
    }()

    /// llava-onevision: `<|im_start|>user <image>⏎Hello<|im_end|>`.
    static let oneVision: Llava = {
      func frame(_ role: String) -> Frame { Frame(open: "<|im_start|>\(role) ", close: "<|im_end|>") }
      return Llava(
        system: frame("system"), user: frame("user"), assistant: frame("assistant"), beforeText: "\n",
        prompt: "<|im_start|>assistant\n", end: "<|im_end|>")
    }()

    /// llava-v1.6-34b: `<|im_start|>user⏎<image>⏎Hello<|im_end|>⏎`.
    static let yi: Llava = {
      func frame(_ role: String) -> Frame { Frame(open: "<|im_start|>\(role)\n", close: "<|im_end|>\n") }
      return Llava(
        system: frame("system"), user: frame("user"), assistant: frame("assistant"), afterImage: "\n",
        prompt: "<|im_start|>assistant\n", end: "<|im_end|>", afterEnd: "\n")
    }()
  }

  /// The last answer stands behind what asks for it, and ends with the token that ends a generation. The templates write
  /// an answer of the past in other ways (a space or a line feed more, another end or none), so a model that learned from
  /// their text would learn what it is never asked for.
  func llava(
    _ messages: [Message], _ style: Llava, _ prompts: Bool, _ mark: String, _ segments: inout [Segment]
  ) throws {
    for (i, message) in messages.enumerated() {
      let frame: Llava.Frame
      switch message.role {
      case .system: frame = try style.system ?? { throw Self.noPlaceForSystem }()
      case .user: frame = style.user
      case .assistant: frame = style.assistant
      }
      if message.role == .assistant, i == messages.count - 1 {
        segments.append(style.prompt)
        segments.append("\(style.beforeAnswer)\(message.content)\(style.end ?? end)", isAnswer: true)
        segments.append(style.afterEnd)
        continue
      }
      segments.append(frame.open)
      for _ in message.images {
        segments.append(Segment(mark: mark))
        segments.append(style.afterImage)
      }
      for case .text(let text) in message.parts {
        segments.append(style.beforeText)
        segments.append(text, isAnswer: message.role == .assistant)
        if message.role != .assistant { segments.append(style.afterText) }
      }
      if message.role == .assistant {
        // Learned with its end, where the template writes one.
        let rest = style.afterText + frame.close
        let end = style.end.flatMap { rest.hasPrefix($0) ? $0 : nil } ?? ""
        segments.append(end, isAnswer: true)
        segments.append(String(rest.dropFirst(end.count)))
      } else {
        segments.append(frame.close)
      }
    }
    if prompts { segments.append(style.prompt) }
  }
}
