import Base
import Text

/// A tokenizer with its model's chat template, as evaluation uses it.
package protocol EvaluationTokenizer {
  /// - Parameter addingSpecialTokens: adds the special tokens that the model expects around a text, such as BOS.
  func encode(_ text: String, addingSpecialTokens: Bool) throws -> [Int32]

  /// Encodes a text with images, without a chat template.
  /// - Throws: `refused` for images if the model takes none.
  func encode(_ parts: [Message.Part], addingSpecialTokens: Bool) throws -> TokenSequence

  /// Encodes a conversation in the chat template, including the start of the assistant's answer.
  func encode(chat messages: [Message]) throws -> TokenSequence

  /// Decodes tokens to text, without special tokens.
  func decode(_ ids: [Int32]) -> String

  /// The vocabulary's entry as `tokenizer.json` writes it ("Ġthree", "▁three"); nil for an unknown id.
  func entry(_ id: Int32) -> String?

  /// Tokens that end an answer.
  var endTokens: Set<Int32> { get }

  /// Description for records: plain values, such as digests of tokenizer file and chat template.
  /// - Parameter chat: whether the task's prompts use the chat template.
  func settings(chat: Bool) throws -> [JSON.Member]
}

extension EvaluationTokenizer {
  /// For a model that takes no images.
  package func encode(_ parts: [Message.Part], addingSpecialTokens: Bool) throws -> TokenSequence {
    guard parts.images.isEmpty else {
      throw VPatchError(.refused, nil, "the prompt has an image, but the model takes no images")
    }
    return TokenSequence(try encode(parts.text, addingSpecialTokens: addingSpecialTokens))
  }
}
