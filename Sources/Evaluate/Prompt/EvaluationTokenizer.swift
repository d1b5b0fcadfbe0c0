import Base
import Text

/// A tokenizer with the chat template of its model, as evaluations see it.
package protocol EvaluationTokenizer {
  /// - Parameter addingSpecialTokens: as the model expects them around a text: a beginning of sequence, for many.
  func encode(_ text: String, addingSpecialTokens: Bool) throws -> [Int32]

  /// A text with images among it, as it stands.
  /// - Throws: `refused` for images where the model takes none.
  func encode(_ parts: [Message.Part], addingSpecialTokens: Bool) throws -> TokenSequence

  /// A conversation in the chat template, with what opens the assistant's answer.
  func encode(chat messages: [Message]) throws -> TokenSequence

  /// The text of these tokens, without special ones.
  func decode(_ ids: [Int32]) -> String

  /// The vocabulary's entry as `tokenizer.json` writes it ("Ġthree", "▁three"); nil where there is none.
  func entry(_ id: Int32) -> String?

  /// Tokens that end an answer.
  var endTokens: Set<Int32> { get }

  /// What stands for it in records: plain values, such as digests of its file and of its template.
  /// - Parameter chat: of a task whose prompts are in the chat template.
  func settings(chat: Bool) throws -> [JSON.Member]
}

extension EvaluationTokenizer {
  /// Of a model that takes no images.
  package func encode(_ parts: [Message.Part], addingSpecialTokens: Bool) throws -> TokenSequence {
    guard parts.images.isEmpty else {
      throw VPatchError(.refused, nil, "the prompt has an image, and the model takes no images")
    }
    return TokenSequence(try encode(parts.text, addingSpecialTokens: addingSpecialTokens))
  }
}
