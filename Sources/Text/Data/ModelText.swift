import PatchFormat

/// What turns a model's text into ids: its tokenizer and its chat template.
///
/// Ready ids need neither, so what is missing is an error only where it is asked for.
public struct ModelText: Sendable {
  private let loadedTokenizer: Result<Tokenizer, VPatchError>
  private let loadedTemplate: Result<ChatTemplate, VPatchError>

  /// - Parameters:
  ///   - folder: the model's.
  ///   - chatTemplate: a name of `ChatTemplate.names`; nil for the model's own.
  /// - Throws: `refused` for a name that is none.
  public init(folder: String, chatTemplate: String? = nil) throws {
    if let chatTemplate { try ChatTemplate.checkName(chatTemplate) }
    let tokenizer = try Self.result { try Tokenizer(folder: folder) }
    loadedTokenizer = tokenizer
    loadedTemplate = try Self.result {
      let tokens = try tokenizer.get().named
      guard let chatTemplate else { return try ChatTemplate.of(folder: folder, tokens) }
      let template = try ChatTemplate.named(chatTemplate, tokens)
      guard try tokenizer.get().id(of: template.endOfAnswer) != nil else {
        throw VPatchError(
          .refused, folder,
          "has no token \"\(template.endOfAnswer.printable)\", with which an answer ends in the chat template \(chatTemplate)",
          remedy: "name the template that the model was made with")
      }
      return template
    }
  }

  public init(tokenizer: Tokenizer, template: ChatTemplate) {
    loadedTokenizer = .success(tokenizer)
    loadedTemplate = .success(template)
  }

  /// - Throws: why the model has none that can be used.
  public var tokenizer: Tokenizer { get throws { try loadedTokenizer.get() } }

  /// - Throws: why the model has none that can be used, or that it has no tokenizer.
  public var template: ChatTemplate { get throws { try loadedTemplate.get() } }

  private static func result<T>(_ body: () throws -> T) throws -> Result<T, VPatchError> {
    do {
      return .success(try body())
    } catch let error as VPatchError {
      return .failure(error)
    }
  }

  /// The ids that end a generation: those that the model's files name, and for an answer to a conversation the one that
  /// ends it in the chat template.
  public func stops(answering: Bool) throws -> Set<Int32> {
    let tokenizer = try tokenizer
    let end = answering ? tokenizer.id(of: try template.endOfAnswer) : nil
    return tokenizer.named.stops.union(end.map { [$0] } ?? [])
  }

  /// The ids of a conversation that the model is to go on with.
  public func prompt(_ messages: [Message]) throws -> TokenSequence {
    TokenSequence(
      try tokenizer.encode(template.render(messages, addGenerationPrompt: true), addSpecialTokens: false).ids)
  }
}
