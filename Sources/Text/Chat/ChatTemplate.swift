import Base
import Jinja

/// How a model writes a conversation as text: a program in Jinja, run as transformers runs it.
package struct ChatTemplate: Sendable {
  /// What may be said of a template besides what a conversation is.
  package struct Options: Equatable, Sendable {
    /// A name of `ChatTemplate.names`, or the path of a file; nil for the model's own.
    package var source: String?
    /// Variables of the template, such as "enable_thinking".
    package var arguments: [JSON.Member]
    /// What a template takes for now, where it asks.
    package var date: CivilTime

    package init(source: String? = nil, arguments: [JSON.Member] = [], date: CivilTime = .now) {
      self.source = source
      self.arguments = arguments
      self.date = date
    }
  }

  /// Where it is from: the file, or the name of one that is built in.
  package let name: String
  let program: Template
  /// Where a row calls functions, a template may have another program for it ("tool_use").
  let programForTools: Template?
  let options: Options
  /// All words of its text.
  private let words: Set<String>
  /// "bos_token", "eos_token" … as they are written.
  private let tokens: [(name: String, value: JSON)]
  /// How it takes contents.
  private(set) var form = Message.Form.asGiven
  /// What ends an answer: "<|im_end|>". A generation that answers stops there, whatever the model's files name.
  package private(set) var endOfAnswer: String?
  /// Behind the last of these an answer ends, where no token of its own is known to end it.
  let specialTokens: [String]

  /// - Parameters:
  ///   - named: the tokens that the template writes by their names.
  ///   - added: those that are found in a text, of which one ends an answer.
  ///   - mark: the text that stands for an image; nil for a model that takes none.
  /// - Throws: `refused` for a program that cannot be run as Jinja2 runs it.
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
    // What is built in knows of parts only where they are LLaVA's.
    form = mark.map(contentForm) ?? (source.isBuiltIn ? .marks("") : .asGiven)
    endOfAnswer = endToken(added, named)
    if let unread = options.arguments.first(where: { !reads($0.key) }) {
      throw VPatchError(
        .refused, name, "does not read \"\(unread.key.printable)\", which --template-arg names",
        remedy: "leave it out, or write it as the template does")
    }
  }

  /// What a conversation is of itself, and no argument says.
  package static let reserved: Set = [
    "messages", "tools", "documents", "add_generation_prompt", "continue_final_message",
  ]

  /// Whether the template asks what day it is.
  package var usesDate: Bool { reads("strftime_now") }

  /// Whether the template may look at something of that name, be it a variable, an attribute or a key.
  func reads(_ name: String) -> Bool { words.contains(name) }

  /// Whether it says itself what the model has said: {% generation %}.
  var marksAnswers: Bool { program.hasGeneration || programForTools?.hasGeneration == true }

  /// A conversation as the text that the model is shown, special tokens spelled out.
  /// - Parameter addGenerationPrompt: whether what asks for an answer stands at the end.
  /// - Throws: `refused` where the template says that the conversation is none that it can write.
  package func render(_ conversation: Conversation, addGenerationPrompt: Bool) throws -> Rendering {
    guard !conversation.messages.isEmpty else {
      throw VPatchError(.refused, nil, "the conversation has no messages")
    }
    return try run(conversation, addGenerationPrompt, form)
  }

  private func run(_ conversation: Conversation, _ addGenerationPrompt: Bool, _ form: Message.Form) throws -> Rendering
  {
    var context = tokens
    // What is given by name comes before what the model's files say, and a row's before that of all rows.
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

// MARK: What it does, found out by trying

extension ChatTemplate {
  /// A text that no template has, nor writes otherwise.
  static let probe = "7160893452"

  private func tried(_ messages: [Message], _ form: Message.Form = .asGiven) -> String {
    (try? run(Conversation(messages), false, form))?.string ?? ""
  }

  /// Whether the template writes images and texts that are parts, and texts that are none.
  private func contentForm(mark: String) -> Message.Form {
    let (text, image) = (Message.Part.text(Self.probe), Message.Part.image(path: ""))
    let shown = tried([Message(.user, [image, text]), Message(.assistant, "a")], .parts)
    let takesParts = shown.contains(Self.probe) && shown.contains(mark) && !shown.contains("'type'")
    guard takesParts else { return .marks(mark) }
    let said = tried([Message(.user, Self.probe), Message(.assistant, Self.probe)])
    return said.ranges(of: Self.probe).count == 2 ? .asGiven : .parts
  }

  /// The token that ends an answer: of those that follow it directly, both where more is said and at the end, the last.
  /// (Cohere ends an answer with two tokens; Mistral goes on with one that begins the next message; some templates end the
  /// whole text with one more.)
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
        // A space before the first token, as Llama 2 has it.
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
    // LLaVA's first templates end the last answer alone.
    if let first = end.first { return first }
    // Something stands between the answer and its end.
    let tokens = added.split(Array(shown[last.upperBound...].unicodeScalars)).lazy.compactMap { part in
      if case .token(let id, _) = part { added.byID[id]?.content } else { nil }
    }
    return tokens.first { added.isSpecial($0) && shown[first.upperBound..<last.lowerBound].contains($0) }
  }
}
