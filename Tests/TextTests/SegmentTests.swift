import TestModels
import Testing
import Text

@Suite struct SegmentTests {
  /// However a text is cut into segments, its ids are those of the whole.
  @Test(arguments: TokenizerCase.names) func idsAreThoseOfTheWholeText(name: String) throws {
    let folder = "\(TokenizerCase.fixtures)/\(name)"
    let tokenizer = try Tokenizer(folder: folder)
    var random = TestRandom(1)
    for row in try TokenizerCase.load(folder) {
      guard let text = row.text else { continue }
      let scalars = Array(text.unicodeScalars)
      let cuts = (0..<4).map { _ in Int.random(in: 0...scalars.count, using: &random) }.sorted()
      let segments = zip([0] + cuts, cuts + [scalars.count]).enumerated().map { i, range in
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[range.0..<range.1])
        return Segment(String(view), isAnswer: i % 2 == 1)
      }
      let encoded = tokenizer.encode(segments, addSpecialTokens: true)
      #expect(encoded.ids == row.ids, "\(segments)")
      #expect(encoded.isAnswer.count == encoded.ids.count)
      #expect(tokenizer.encode(segments, addSpecialTokens: false).ids == row.bare, "\(segments)")
    }
  }

  @Test func specialTokensAreBorders() throws {
    let tokenizer = try Tokenizer(folder: "\(TokenizerCase.fixtures)/smollm2")
    let encoded = tokenizer.encode(
      [
        Segment("<|im_start|>", isAnswer: false), Segment("The fox<|im_end|>", isAnswer: true),
        Segment("\n<|im_start|>", isAnswer: false), Segment("dog", isAnswer: true),
      ], addSpecialTokens: false)
    let answers = zip(encoded.ids, encoded.isAnswer).filter(\.1).map(\.0)
    #expect(tokenizer.decode(answers, skipSpecialTokens: false) == "The fox<|im_end|>dog")
    #expect(encoded.bordersInTokens == 0)
  }
}
