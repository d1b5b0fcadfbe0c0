import Base
import Testing

@testable import Text

@Suite struct SplitTests {
  /// What Hugging Face's Split makes of texts (`fixtures/tokenizers/make.py`).
  @Test func textIsCutAsByHuggingFace() throws {
    var count = 0
    try InputFile(path: "\(TokenizerCase.fixtures)/splits.jsonl").forEachLine(limit: 1 << 16) { _, line in
      let json = try JSON.parse(line)
      let part = TokenizerPart(path: "", place: "", json: try #require(json["part"]))
      let split = try PreTokenizer(part)
      for (text, expected) in (json["pieces"]?.object ?? []).map({ ($0.key, $0.value.array?.compactMap(\.string)) }) {
        var pieces = Pieces(Array(text.unicodeScalars), isFirst: true)
        split.apply(to: &pieces)
        let found = pieces.ranges.map { range in
          var view = String.UnicodeScalarView()
          view.append(contentsOf: pieces.scalars[range])
          return String(view)
        }
        #expect(found == expected, "\(part.json.compact()) \(text.debugDescription)")
        count += 1
      }
    }
    #expect(count == 19 * 10 * 13)
  }

  /// Marks of characters that are marks themselves once taken apart; what tokenizers' NFC and NFD make of them.
  @Test(arguments: [
    ("a\u{F73}\u{301}\u{F73}", "á\u{F71}\u{F71}\u{F72}\u{F72}", "a\u{F71}\u{F71}\u{F72}\u{F72}\u{301}"),
    ("\u{F72}\u{F73}", "\u{F71}\u{F72}\u{F72}", "\u{F71}\u{F72}\u{F72}"),
    ("a\u{F75}\u{301}", "á\u{F71}\u{F74}", "a\u{F71}\u{F74}\u{301}"),
    ("a\u{301}\u{F81}", "á\u{F71}\u{F80}", "a\u{F71}\u{F80}\u{301}"),
    ("a\u{344}\u{F73}", "ä\u{F71}\u{F72}\u{301}", "a\u{F71}\u{F72}\u{308}\u{301}"),
  ]) func marksAreOrderedAsByHuggingFace(text: String, composed: String, decomposed: String) {
    #expect(Normalizer.nfc.apply(to: text).isSame(as: composed))
    #expect(Normalizer.nfd.apply(to: text).isSame(as: decomposed))
  }
}
