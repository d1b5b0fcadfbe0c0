import PatchFormat
import Text

/// The tokenizer of a model's folder.
public struct ModelTokenizer: EvaluationTokenizer {
  public let settings: [JSON.Member]
  private let tokenizer: Tokenizer

  /// - Throws: `invalid` or `refused` for a folder without a tokenizer that can be read.
  public init(folder: String) throws {
    tokenizer = try Tokenizer(folder: folder)
    settings = [
      JSON.Member("tokenizer", .string(SHA256.hash(try InputFile.contents(of: tokenizer.path, limit: 1 << 30)).hex))
    ]
  }

  public func encode(_ text: String, addingSpecialTokens: Bool) -> [Int32] {
    tokenizer.encode(text, addSpecialTokens: addingSpecialTokens)
  }

  public func encode(chat messages: [Message]) throws -> [Int32] {
    throw VPatchError(.refused, tokenizer.path, "has no chat template", remedy: "use format = \"raw\"")
  }

  public func decode(_ ids: [Int32]) -> String { tokenizer.decode(ids, skipSpecialTokens: true) }

  public func entry(_ id: Int32) -> String? { tokenizer.token(id) }

  public var endTokens: Set<Int32> { tokenizer.named.stops }
}
