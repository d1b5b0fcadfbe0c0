import PatchFormat

extension ChatTemplate {
  /// A conversation as the text that the model is shown, special tokens spelled out.
  ///
  /// An answer begins where a generation would: behind what `addGenerationPrompt` puts at the end.
  /// - Parameter mark: the text that stands for an image; the images are the user's.
  /// - Throws: `refused` where the family has no place for a message.
  public func render(
    _ messages: [Message], addGenerationPrompt: Bool, mark: String = "<image>"
  ) throws -> [Segment] {
    guard !messages.isEmpty else { throw VPatchError(.refused, nil, "the conversation has no messages") }
    if let i = messages.firstIndex(where: { $0.role != .user && !$0.images.isEmpty }) {
      throw VPatchError(
        .refused, nil, "message \(i + 1) is the \(messages[i].role.rawValue)'s and holds an image",
        remedy: "put images into the user's messages")
    }
    if addGenerationPrompt, messages.last?.role == .assistant {
      // Two turns of the assistant in a row; only families without an order could write them.
      if case .chatML = family {
      } else if case .llama3 = family {
      } else {
        throw VPatchError(.refused, nil, "the last message is the assistant's: there is nothing to answer")
      }
    }
    var segments: [Segment] = []
    switch family {
    case .chatML(let system): chatML(messages, system, addGenerationPrompt, mark, &segments)
    case .llama3(let preamble): llama3(messages, preamble, addGenerationPrompt, mark, &segments)
    case .llama2: llama2(try Turns(messages), mark, &segments)
    case .mistral(let style): try mistral(try Turns(messages), style, mark, &segments)
    case .vicuna: vicuna(try Turns(messages), addGenerationPrompt, mark, &segments)
    case .llava(let style): try llava(messages, style, addGenerationPrompt, mark, &segments)
    }
    return segments
  }

  /// What the user says, each image where it stands: the way of templates that leave images to what the text says.
  private func shown(_ message: Message, _ mark: String) -> [Segment] {
    message.parts.flatMap { part in
      switch part {
      case .text(let text): [Segment(text, isAnswer: false)]
      case .image: ImageMark.shownAsPart(mark)
      }
    }
  }

  // <|im_start|>user⏎Hello<|im_end|>⏎
  private func chatML(
    _ messages: [Message], _ system: String?, _ prompts: Bool, _ mark: String, _ segments: inout [Segment]
  ) {
    if let system, messages[0].role != .system { segments.append("<|im_start|>system\n\(system)<|im_end|>\n") }
    for message in messages {
      segments.append("<|im_start|>\(message.role.rawValue)\n")
      if message.role == .user { segments.append(shown: shown(message, mark)) }
      let said = message.role == .user ? "" : message.content
      segments.append("\(said)<|im_end|>", isAnswer: message.role == .assistant)
      segments.append("\n")
    }
    if prompts { segments.append("<|im_start|>assistant\n") }
  }

  // <|begin_of_text|><|start_header_id|>user<|end_header_id|>⏎⏎Hello<|eot_id|>
  private func llama3(
    _ messages: [Message], _ preamble: String?, _ prompts: Bool, _ mark: String, _ segments: inout [Segment]
  ) {
    func header(_ role: Message.Role) -> String { "<|start_header_id|>\(role.rawValue)<|end_header_id|>\n\n" }
    var rest = messages[...]
    segments.append(beginning)
    if let preamble {
      let system = rest.first?.role == .system ? rest.removeFirst().content.trimmed : ""
      segments.append("\(header(.system))\(preamble)\(system)<|eot_id|>")
    }
    for message in rest {
      segments.append(header(message.role))
      if message.role == .user { segments.append(shown: shown(message, mark).trimmed) }
      let said = message.role == .user ? "" : message.content.trimmed
      segments.append("\(said)<|eot_id|>", isAnswer: message.role == .assistant)
    }
    if prompts { segments.append(header(.assistant)) }
  }

  // <s>[INST] <<SYS>>⏎system⏎<</SYS>>⏎⏎Hello [/INST] Hi </s>
  private func llama2(_ turns: Turns, _ mark: String, _ segments: inout [Segment]) {
    for (i, message) in turns.messages.enumerated() {
      if message.role == .assistant {
        segments.append(" \(message.content.trimmed) \(end)", isAnswer: true)
      } else {
        let system = i == 0 ? turns.system.map { "<<SYS>>\n\($0)\n<</SYS>>\n\n" } ?? "" : ""
        segments.append("\(beginning)[INST] ")
        segments.append(shown: ([Segment(system, isAnswer: false)] + shown(message, mark)).trimmed)
        segments.append(" [/INST]")
      }
    }
  }

  // <s>[INST] Hello[/INST] Hi</s>
  private func mistral(_ turns: Turns, _ style: Mistral, _ mark: String, _ segments: inout [Segment]) throws {
    let withSystem: Int? =
      switch style.system {
      case .none: nil
      case .first: 0
      case .last: turns.messages.lastIndex { $0.role == .user }
      }
    if turns.system != nil, style.system == .none {
      throw Self.noPlaceForSystem
    }
    segments.append(beginning)
    for (i, message) in turns.messages.enumerated() {
      if message.role == .assistant {
        let content = style.trimsAnswer ? message.content.trimmed : message.content
        segments.append("\(style.beforeAnswer)\(content)\(end)", isAnswer: true)
        segments.append(style.afterEnd)
      } else {
        let system = i == withSystem ? turns.system.map { "\($0)\n\n" } ?? "" : ""
        segments.append("\(style.open)\(system)")
        segments.append(shown: shown(message, mark))
        segments.append(style.close)
      }
    }
  }

  static let noPlaceForSystem = VPatchError(
    .refused, nil, "the model's chat template has no place for a system message",
    remedy: "put it into the first message of the user")

  // <s>system USER: Hello ASSISTANT: Hi</s>
  private func vicuna(_ turns: Turns, _ prompts: Bool, _ mark: String, _ segments: inout [Segment]) {
    segments.append("\(beginning)\(turns.system ?? Self.vicunaSystem) ")
    for message in turns.messages {
      if message.role == .assistant {
        segments.append("ASSISTANT:")
        segments.append(" \(message.content)\(end)", isAnswer: true)
      } else {
        segments.append("USER: ")
        segments.append(shown: shown(message, mark))
        segments.append(" ")
      }
    }
    if prompts { segments.append("ASSISTANT:") }
  }
}

/// A conversation in which user and assistant take turns, as some families have it.
private struct Turns {
  let system: String?
  /// The user's first.
  let messages: [Message]

  init(_ messages: [Message]) throws {
    let hasSystem = messages[0].role == .system
    system = hasSystem ? messages[0].content : nil
    self.messages = Array(hasSystem ? messages.dropFirst() : messages[...])
    if self.messages.isEmpty {
      throw VPatchError(.refused, nil, "the conversation has a system message alone")
    }
    for (i, message) in self.messages.enumerated() {
      let expected = i % 2 == 0 ? Message.Role.user : .assistant
      guard message.role == expected else {
        throw VPatchError(
          .refused, nil,
          "message \(i + (hasSystem ? 2 : 1)) is the \(message.role.rawValue)'s where the \(expected.rawValue)'s has to be",
          remedy: "let user and assistant take turns, behind at most one system message")
      }
    }
  }
}
