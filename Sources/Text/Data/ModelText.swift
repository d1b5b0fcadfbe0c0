import Base
import Checkpoints

/// What turns a model's text into ids: its tokenizer, its chat template, and how it is shown images.
///
/// Ready ids need neither, so what is missing is an error only where it is asked for.
package struct ModelText: Sendable {
  private let loadedTokenizer: Result<Tokenizer, VPatchError>
  private let loadedTemplate: Result<ChatTemplate, VPatchError>
  /// How the model is shown an image; nil for a model that takes none.
  package let images: (any ImagePrompting)?
  /// The images that were looked at.
  let shelf: ImageShelf?

  /// - Parameters:
  ///   - folder: the model's.
  ///   - chatTemplate: which one, and what it is told; the model's own, where nothing is said.
  ///   - images: how the model is shown an image; nil for a model that takes none.
  /// - Throws: `refused` for a name that is none.
  package init(
    folder: String, chatTemplate: ChatTemplate.Options = .init(), images: (any ImagePrompting)? = nil
  ) throws {
    try self.init(ModelFolder(folder), chatTemplate: chatTemplate, images: images)
  }

  package init(
    _ folder: ModelFolder, chatTemplate: ChatTemplate.Options = .init(), images: (any ImagePrompting)? = nil
  ) throws {
    self.images = images
    shelf = images.map(ImageShelf.init)
    let named = try chatTemplate.source.map(ChatTemplate.source(named:))
    let tokenizer = try Self.result { try Tokenizer(folder) }
    loadedTokenizer = tokenizer
    loadedTemplate = try Self.result {
      let tokenizer = try tokenizer.get()
      let source = try named ?? TemplateSource.of(folder, takesImages: images != nil)
      let template = try ChatTemplate(
        source, tokenizer.named, tokenizer.added, chatTemplate, mark: images?.mark)
      guard !source.isBuiltIn || template.endOfAnswer != nil else {
        throw VPatchError(
          .refused, folder.path, "has no token with which an answer ends in the chat template \(source.name.printable)",
          remedy: "name the template that the model was made with")
      }
      return template
    }
  }

  init(tokenizer: Tokenizer, template: ChatTemplate, images: (any ImagePrompting)? = nil) {
    self.images = images
    shelf = images.map(ImageShelf.init)
    loadedTokenizer = .success(tokenizer)
    loadedTemplate = .success(template)
  }

  /// - Throws: why the model has none that can be used.
  package var tokenizer: Tokenizer { get throws { try loadedTokenizer.get() } }

  /// - Throws: why the model has none that can be used, or that it has no tokenizer.
  package var template: ChatTemplate { get throws { try loadedTemplate.get() } }

  private static func result<T>(_ body: () throws -> T) throws -> Result<T, VPatchError> {
    do {
      return .success(try body())
    } catch let error as VPatchError {
      return .failure(error)
    }
  }

  /// The ids that end a generation: those that the model's files name, and for an answer to a conversation the one that
  /// ends it in the chat template.
  package func stops(answering: Bool) throws -> Set<Int32> {
    let tokenizer = try tokenizer
    let end = answering ? try template.endOfAnswer.flatMap(tokenizer.id(of:)) : nil
    return tokenizer.named.stops.union(end.map { [$0] } ?? [])
  }

  /// The tokens of a conversation that the model is to go on with.
  /// - Throws: `refused` for images where the model takes none; what is wrong with an image.
  package func prompt(_ messages: [Message]) throws -> TokenSequence {
    let template = try template
    guard images != nil || messages.allSatisfy(\.images.isEmpty) else {
      throw VPatchError(.refused, nil, "the prompt \(noImages.reason)")
    }
    let shown = try template.render(Conversation(messages), addGenerationPrompt: true).text
    let parts = messages.flatMap(\.parts)
    return try sequence(
      [Segment](shown, answers: [], mark: parts.images.isEmpty ? nil : mark), parts,
      addSpecialTokens: addsSpecialTokens(to: shown, template))
  }

  /// Whether what the tokenizer puts around a text goes around a conversation, too. In transformers a model's processor
  /// leaves that to the tokenizer, unless the template writes the token that begins a text; a tokenizer alone never does.
  func addsSpecialTokens(to shown: [UInt8], _ template: ChatTemplate) throws -> Bool {
    guard images != nil else { return false }
    guard let beginning = try tokenizer.named.beginningText else { return true }
    return !shown.starts(with: beginning.utf8)
  }

  /// The tokens of a text as it stands, with images among it.
  /// - Parameter addSpecialTokens: whether what the tokenizer puts around a text is put there.
  package func sequence(_ parts: [Message.Part], addSpecialTokens: Bool = true) throws -> TokenSequence {
    try sequence(segments(parts), parts, addSpecialTokens: addSpecialTokens)
  }

  private func sequence(
    _ segments: [Segment], _ parts: [Message.Part], addSpecialTokens: Bool
  ) throws -> TokenSequence {
    do {
      try checkMarks(in: parts)
      let sources = try parts.images.map { path in
        guard let shelf else { throw noImages }
        return try shelf.source(path)
      }
      let encoded = try encode(segments, sources, addSpecialTokens: addSpecialTokens)
      return TokenSequence(encoded.ids, images: sources)
    } catch let error as RowError {
      throw VPatchError(.refused, nil, "the prompt \(error.reason)")
    }
  }
}
