import Base
import Checkpoints
import Text

/// Tokenizer and chat template of a model's folder.
package struct ModelTokenizer: EvaluationTokenizer {
  private let tokenizer: Tokenizer
  private let text: ModelText
  private let digest: ContentDigest

  /// - Parameter chatTemplate: template and its arguments; by default the model's own.
  /// - Throws: `invalid` or `refused` for a folder without a readable tokenizer. An invalid chat template is an error
  ///   only when it is used.
  package init(_ folder: ModelFolder, chatTemplate: ChatTemplate.Options = .init()) throws {
    text = try ModelText(model: folder, chatTemplate: chatTemplate)
    tokenizer = try text.tokenizer
    digest = SHA256Hasher.hash(try folder.contents(of: Path.name(tokenizer.path), limit: .max))
  }

  package func encode(_ text: String, addingSpecialTokens: Bool) throws -> [Int32] {
    if let reason = tokenizer.refusal(of: text) { throw VPatchError(.refused, tokenizer.path, "a text \(reason)") }
    return tokenizer.encode(text, addSpecialTokens: addingSpecialTokens)
  }

  package func encode(_ parts: [Message.Part], addingSpecialTokens: Bool) throws -> TokenSequence {
    try text.sequence(parts, addSpecialTokens: addingSpecialTokens)
  }

  package func encode(chat messages: [Message]) throws -> TokenSequence { try text.prompt(messages) }

  package func decode(_ ids: [Int32]) -> String { tokenizer.decode(ids, skipSpecialTokens: true) }

  package func entry(_ id: Int32) -> String? { tokenizer.token(id) }

  package var endTokens: Set<Int32> { tokenizer.named.stops }

  /// The SHA-256 of tokenizer.json, and of a short conversation rendered by the template, which identifies the template
  /// whatever its name.
  package func settings(chat: Bool) throws -> [JSON.Member] {
    let ofTokenizer = JSON.Member("tokenizer", .string(digest.hex))
    guard chat else { return [ofTokenizer] }
    let sample = [Message(.user, "a"), Message(.assistant, "b"), Message(.user, "c")]
    let shown = try text.template.render(Conversation(sample), addGenerationPrompt: true).text
    return [ofTokenizer, JSON.Member("chat_template", .string(SHA256Hasher.hash(shown).hex))]
  }
}
