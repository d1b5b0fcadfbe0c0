import Base
import Jinja

/// A model's chat template: a Jinja program that renders a conversation as text, run as in transformers.
package struct ChatTemplate: Sendable {
  /// Options of a template besides the conversation.
  package struct Options: Equatable, Sendable {
    /// A name of `ChatTemplate.names`, or the path of a file; nil: the model's own.
    package var source: String?
    /// Variables of the template, such as "enable_thinking".
    package var arguments: [JSON.Member]
    /// The current date for templates that use it.
    package var date: CivilTime

    package init(source: String? = nil, arguments: [JSON.Member] = [], date: CivilTime = .now) {
      self.source = source
      self.arguments = arguments
      self.date = date
    }
  }

  /// The file, or the name of a built-in template.
  package let name: String
  let program: Template
  /// The separate program for rows with tools ("tool_use"), if there is one.
  let programForTools: Template?
  let options: Options
  /// All words in the template's text.
  private let words: Set<String>
  /// Texts of "bos_token", "eos_token" …
  private let tokens: [(name: String, value: JSON)]
  /// The form of content that it expects.
  private(set) var form = Message.Form.asGiven
  /// Token that ends an answer, such as "<|im_end|>". Generation of an answer stops there, whatever the model's files
  /// say.
  package private(set) var endOfAnswer: String?
  /// If no token is known to end an answer, it ends after the last of these.
  let specialTokens: [String]

  /// - Parameters:
  ///   - named: tokens that the template refers to by name.
  ///   - added: tokens that are recognised in text, of which one ends an answer.
  ///   - mark: the placeholder of an image; nil for a model without images.
  /// - Throws: `refused` for a program that cannot be run as in Jinja2.
  init(
    _ source: TemplateSource, _ named: NamedTokens, _ added: AddedTokens, _ options: Options = Options(),
    mark: String? = nil
  ) throws {
    func compile(_ text: String) throws -> Template {
      do { return try Template(text) } catch { throw source.error(error) }
    }
    name = source.name
    self.options = options
    program = try compile(source.text)
    programForTools = try source.textForTools.map(compile)
    words = source.words
    tokens = named.texts.map { ($0.key, .string($0.value)) }
    specialTokens = added.byID.values.filter { added.isSpecial($0.content) }.map(\.content)
    // Only LLaVA's built-in templates handle parts.
    form = mark.map(contentForm) ?? (source.isBuiltIn ? .marks("") : .asGiven)
    endOfAnswer = endToken(added, named)
    if let unread = options.arguments.first(where: { !reads($0.key) }) {
      throw VPatchError(
        .refused, name, "does not use \"\(unread.key.printable)\", which --template-arg sets",
        remedy: "leave it out, or check its spelling in the template")
    }
  }

  /// Variables that come from the conversation and cannot be set as arguments.
  package static let reserved: Set = [
    "messages", "tools", "documents", "add_generation_prompt", "continue_final_message",
  ]

  /// Whether the template uses the current date.
  package var usesDate: Bool { reads("strftime_now") }

  /// Whether the template may use a variable, attribute or key of that name.
  func reads(_ name: String) -> Bool { words.contains(name) }

  /// Whether it marks the assistant's output itself: {% generation %}.
  var marksAnswers: Bool { program.hasGeneration || programForTools?.hasGeneration == true }

  /// Renders a conversation as the model's input text, including special tokens.
  /// - Parameter addGenerationPrompt: whether to end with the generation prompt.
  /// - Throws: `refused` if the template rejects the conversation.
  package func render(_ conversation: Conversation, addGenerationPrompt: Bool) throws -> Rendering {
    guard !conversation.messages.isEmpty else {
      throw VPatchError(.refused, nil, "the conversation has no messages")
    }
    return try run(conversation, addGenerationPrompt, form)
  }

  private func run(_ conversation: Conversation, _ addGenerationPrompt: Bool, _ form: Message.Form) throws -> Rendering
  {
    var context = tokens
    // Arguments have precedence over the model's files, and a row's arguments over those of all rows.
    for member in options.arguments + conversation.arguments {
      context.removeAll { $0.name == member.key }
      context.append((member.key, member.value))
    }
    context += [
      ("messages", .array(conversation.messages.map { $0.json(form) })), ("tools", conversation.tools ?? .null),
      ("documents", conversation.documents ?? .null), ("add_generation_prompt", .bool(addGenerationPrompt)),
    ]
    let program = conversation.tools == nil ? program : programForTools ?? program
    do {
      let values = try context.map { (name: $0.name, value: try Value($0.value)) }
      return try program.render(values, Surroundings(now: options.date))
    } catch let error as TemplateError {
      throw VPatchError(.refused, nil, "\(error)")
    }
  }
}

// MARK: Properties found by rendering

extension ChatTemplate {
  /// A text that no template contains or changes.
  static let probe = "7160893452"

  private func tried(_ messages: [Message], _ form: Message.Form = .asGiven) -> String {
    (try? run(Conversation(messages), false, form))?.string ?? ""
  }

  /// Whether the template renders lists of image and text parts, and plain texts.
  private func contentForm(mark: String) -> Message.Form {
    let (text, image) = (Message.Part.text(Self.probe), Message.Part.image(path: ""))
    let shown = tried([Message(.user, [image, text]), Message(.assistant, "a")], .parts)
    let takesParts = shown.contains(Self.probe) && shown.contains(mark) && !shown.contains("'type'")
    guard takesParts else { return .marks(mark) }
    let said = tried([Message(.user, Self.probe), Message(.assistant, Self.probe)])
    return said.ranges(of: Self.probe).count == 2 ? .asGiven : .parts
  }

  /// The token that ends an answer: the last of those that directly follow it both between messages and at the end.
  /// (Cohere ends an answer with two tokens; with Mistral a token that begins the next message follows; some templates
  /// end the whole text with another token.)
  private func endToken(_ added: AddedTokens, _ named: NamedTokens) -> String? {
    let turns = [Message(.user, "a"), Message(.assistant, Self.probe), Message(.user, "b")]
    let tries = [turns + [turns[1]], [Message(.system, "c")] + turns + [turns[1]], Array(turns.prefix(2))]
    let shown = tries.lazy.map { tried($0, form) }.first { $0.firstRange(of: Self.probe) != nil } ?? ""
    let answers = shown.ranges(of: Self.probe)
    guard let first = answers.first, let last = answers.last else { return nil }
    func run(_ start: String.Index) -> [String] {
      let rest = Array(shown[start...].unicodeScalars)
      var found: [String] = []
      for part in added.split(rest) {
        switch part {
        // A space before the first token, as in Llama 2.
        case .text(let range) where found.isEmpty && rest[range].allSatisfy(\.properties.isWhitespace): continue
        case .text: return found
        case .token(let id, _):
          guard let token = added.byID[id]?.content else { return found }
          let isEnd = added.isSpecial(token) || named.texts.values.contains(token) || part.range.lowerBound == 0
          guard isEnd || !found.isEmpty else { return found }
          found.append(token)
        }
      }
      return found
    }
    let (middle, end) = (run(first.upperBound), run(last.upperBound))
    if let both = zip(middle, end).prefix(while: { $0 == $1 }).map(\.0).last, answers.count > 1 { return both }
    // LLaVA's first templates end only the last answer.
    if let first = end.first { return first }
    // There is text between the answer and its end token.
    let tokens = added.split(Array(shown[last.upperBound...].unicodeScalars)).lazy.compactMap { part in
      if case .token(let id, _) = part { added.byID[id]?.content } else { nil }
    }
    return tokens.first { added.isSpecial($0) && shown[first.upperBound..<last.lowerBound].contains($0) }
  }
}
