import Base
import Foundation
import Model
import TestModels
import Text

@testable import Evaluate

/// A model whose next token depends on the two before it, by a hash: quick, and the same everywhere.
struct FakeModel: NextTokenModel {
  var seed: UInt64 = 1
  var vocabularySize = FakeTokenizer.size
  /// How far the logits lie apart.
  var spread: Float = 4
  /// Added to the logits of these.
  var bias: [Int32: Float] = [:]
  /// Every logit becomes this number where it is set.
  var logit: Float?

  /// Log-probabilities after a beginning.
  func distribution(_ ids: ArraySlice<Int32>) -> [Float] {
    let key = ids.suffix(2).reduce(seed) { ($0 ^ UInt64(UInt32(bitPattern: $1))) &* 0x100_0000_01B3 }
    var random = TestRandom(key)
    let logits = (0..<vocabularySize).map { token in
      (logit ?? spread * Float(random.next() >> 40) / Float(1 << 24)) + bias[Int32(token), default: 0]
    }
    let top = logits.max()!
    let sum = logits.reduce(0) { $0 + exp($1 - top) }
    return logits.map { $0 - top - log(sum) }
  }

  func scores(of sequences: [TokenSequence]) -> [[TokenScore]] {
    sequences.map(\.ids).map { ids in
      ids.indices.dropFirst().map { i in
        let values = distribution(ids[..<i])
        let own = values[Int(ids[i])]
        return TokenScore(logProbability: own, isGreedy: own == values.max()!)
      }
    }
  }

  func forEachDistribution(
    of sequences: [TokenSequence], at positions: [Range<Int>],
    _ body: (Int, Int, UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    for (i, ids) in sequences.map(\.ids).enumerated() {
      for position in positions[i] {
        try distribution(ids[...position]).withUnsafeBufferPointer { try body(i, position, $0) }
      }
    }
  }

  func continueGreedily(
    _ prompts: [TokenSequence], stop: Set<Int32>, limit: Int,
    observe: ((Int, Int, UnsafeBufferPointer<Float>) -> Void)?
  ) -> [[Int32]] {
    prompts.map(\.ids).enumerated().map { i, prompt in
      var ids = prompt
      for step in 0..<limit {
        let values = distribution(ids[...])
        values.withUnsafeBufferPointer { observe?(i, step, $0) }
        let next = Int32(values.firstIndex(of: values.max()!)!)
        if stop.contains(next) { break }
        ids.append(next)
      }
      return Array(ids.dropFirst(prompt.count))
    }
  }
}

/// Bytes as tokens, a few words whole, and 0 for the end: enough to see where tokens are cut.
struct FakeTokenizer: EvaluationTokenizer {
  /// Longer ones first.
  static let words = [" answer", " twenty", " three", "three", " the", " 3", "21st"]
  static let size = 257 + words.count
  var addsBeginning = false
  func settings(chat: Bool) -> [JSON.Member] {
    [JSON.Member("tokenizer", "fake")] + (chat ? [JSON.Member("chat_template", "angles")] : [])
  }
  var endTokens: Set<Int32> { [0] }

  func encode(_ text: String, addingSpecialTokens: Bool) -> [Int32] {
    var rest = Array(text.utf8)[...]
    var ids: [Int32] = addingSpecialTokens && addsBeginning ? [0] : []
    while let byte = rest.first {
      if let word = Self.words.firstIndex(where: { rest.starts(with: $0.utf8) }) {
        ids.append(Int32(257 + word))
        rest = rest.dropFirst(Self.words[word].utf8.count)
      } else {
        ids.append(Int32(byte) + 1)
        rest = rest.dropFirst()
      }
    }
    return ids
  }

  func encode(chat messages: [Message]) -> TokenSequence {
    TokenSequence(
      encode(
        messages.map { "<\($0.role.rawValue)>\($0.content)\n" }.joined() + "<assistant>", addingSpecialTokens: false))
  }

  func decode(_ ids: [Int32]) -> String {
    String(
      decoding: ids.flatMap { id in
        id >= 257 ? Array(Self.words[Int(id) - 257].utf8) : id == 0 ? [] : [UInt8(id - 1)]
      }, as: UTF8.self)
  }

  func entry(_ id: Int32) -> String? {
    id >= 257 ? Self.words[Int(id) - 257].replacing(" ", with: "\u{0120}") : id == 0 ? "<end>" : decode([id])
  }
}
