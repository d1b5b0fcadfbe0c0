import Base
import Checkpoints

/// Turns a model's text into ids: its tokenizer, chat template and image preprocessing.
///
/// Rows of ids need none of these, so a missing one is an error only when it is needed.
package struct ModelText: Sendable {
  private let loadedTokenizer: Result<Tokenizer, VPatchError>
  private let loadedTemplate: Result<ChatTemplate, VPatchError>
  /// Image preprocessing; nil for a model without images.
  package let images: (any ImagePrompting)?
  /// Headers of checked images.
  let shelf: ImageShelf?

  /// - Parameters:
  ///   - folder: the model's.
  ///   - chatTemplate: template and its arguments; by default the model's own.
  ///   - images: image preprocessing; nil for a model without images.
  /// - Throws: `refused` for an unknown template name.
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
          .refused, folder.path, "has no token that ends an answer in the chat template \(source.name.printable)",
          remedy: "use the template that the model was trained with")
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

  /// - Throws: why the model has no usable tokenizer.
  package var tokenizer: Tokenizer { get throws { try loadedTokenizer.get() } }

  /// - Throws: why the model has no usable template, or no tokenizer.
  package var template: ChatTemplate { get throws { try loadedTemplate.get() } }

  private static func result<T>(_ body: () throws -> T) throws -> Result<T, VPatchError> {
    do {
      return .success(try body())
    } catch let error as VPatchError {
      return .failure(error)
    }
  }

  /// The ids that end a generation: from the model's files and, for an answer in a conversation, the one that ends it
  /// in the chat template.
  package func stops(answering: Bool) throws -> Set<Int32> {
    let tokenizer = try tokenizer
    let end = answering ? try template.endOfAnswer.flatMap(tokenizer.id(of:)) : nil
    return tokenizer.named.stops.union(end.map { [$0] } ?? [])
  }

  /// The tokens of a conversation with its generation prompt.
  /// - Throws: `refused` for images if the model takes none; errors of an image.
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

  /// Whether the tokenizer's prefix and suffix are added to a conversation, too. In transformers, a processor lets the
  /// tokenizer add them unless the template writes the BOS token; a tokenizer alone never adds them.
  func addsSpecialTokens(to shown: [UInt8], _ template: ChatTemplate) throws -> Bool {
    guard images != nil else { return false }
    guard let beginning = try tokenizer.named.beginningText else { return true }
    return !shown.starts(with: beginning.utf8)
  }

  /// The tokens of plain text with images.
  /// - Parameter addSpecialTokens: whether the tokenizer's prefix and suffix are added.
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
