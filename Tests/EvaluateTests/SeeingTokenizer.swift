import Base
import Images
import Model
import Text

@testable import Evaluate

/// The fake tokenizer of a model that takes two tokens for an image: bytes 0x01.
struct SeeingTokenizer: EvaluationTokenizer {
  let fake = FakeTokenizer()
  static let image: [Int32] = [2, 2]

  func encode(_ text: String, addingSpecialTokens: Bool) -> [Int32] {
    fake.encode(text, addingSpecialTokens: addingSpecialTokens)
  }

  func encode(_ parts: [Message.Part], addingSpecialTokens: Bool) throws -> TokenSequence {
    TokenSequence(
      parts.flatMap { part in
        switch part {
        case .text(let text): encode(text, addingSpecialTokens: false)
        case .image: Self.image
        }
      },
      images: try parts.images.map {
        ImageSource(path: $0, digest: try InputFile(path: $0).digest(), width: 1, height: 1)
      })
  }

  func encode(chat messages: [Message]) throws -> TokenSequence {
    try encode(
      messages.flatMap { [.text("<\($0.role.rawValue)>")] + $0.parts + [.text("\n")] } + [.text("<assistant>")],
      addingSpecialTokens: false)
  }

  func decode(_ ids: [Int32]) -> String { fake.decode(ids) }
  func entry(_ id: Int32) -> String? { fake.entry(id) }
  var endTokens: Set<Int32> { fake.endTokens }
  func settings(chat: Bool) -> [JSON.Member] { fake.settings(chat: chat) }
}

/// A model that gives these answers to the prompts in order, and nothing else.
final class AnsweringModel: NextTokenModel {
  let answers: [String]
  private(set) var asked: [TokenSequence] = []
  var vocabularySize: Int { FakeTokenizer.size }

  init(_ answers: [String]) { self.answers = answers }

  func scores(of sequences: [TokenSequence]) -> [[TokenScore]] { fatalError("is only asked") }

  func forEachDistribution(
    of sequences: [TokenSequence], at positions: [Range<Int>],
    _ body: (Int, Int, UnsafeBufferPointer<Float>) throws -> Void
  ) { fatalError("is only asked") }

  func continueGreedily(
    _ prompts: [TokenSequence], stop: Set<Int32>, limit: Int,
    observe: ((Int, Int, UnsafeBufferPointer<Float>) -> Void)?
  ) -> [[Int32]] {
    asked += prompts
    return prompts.indices.map {
      FakeTokenizer().encode(answers[asked.count - prompts.count + $0], addingSpecialTokens: false)
    }
  }
}
