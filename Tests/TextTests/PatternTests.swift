import PatchFormat
import Testing

@testable import Text

@Suite struct PatternTests {
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

  @Test(arguments: [
    ("a**", "repeats a repetition"), ("a{2}{3}", "repeats a repetition"), ("(a", "lacks a \")\""),
    ("a)", "has a \")\" too many"), ("[", "ends too early"), ("[]", "an empty class is not supported"),
    ("[a[b]]", "a class inside a class is not supported"), ("[a&&b]", "a class inside a class is not supported"),
    ("[z-a]", "a class has a range that is none"), ("\\b", "\"\\b\" is not supported"),
    ("\\p{Han}", "\"\\p{Han}\" is not supported (general categories are)"), ("\\pL", "\"\\p\" lacks its {…}"),
    ("^a", "\"^\" is not supported here"), ("a{3,2}", "\"{…}\" is not a range of counts up to 1000"),
    ("a{99999}", "\"{…}\" is not a range of counts up to 1000"),
    ("a{2}+", "\"?\" or \"+\" behind \"}\" is not supported"),
    ("(?<=a)b", "a group that starts with \"(?<\" is not supported"), ("a*", "matches nothing at all"),
    ("(?:a*)*b", "a repetition of what may be empty is not supported"),
    ("(?i:é)", "case is ignored for more than ASCII characters, which is not supported"),
    ("((a{1000}){1000}){1000}", "is too large"), (String(repeating: "(", count: 40), "is nested too deeply"),
  ]) func whatIsNotSupportedIsNamed(pattern: String, reason: String) {
    #expect(throws: PatternError(reason)) { try Pattern(pattern) }
  }

  @Test func longRunsAreMatchedWithoutQuadraticTime() throws {
    let pattern = try Pattern(#"\s*[\r\n]+|\s+(?!\S)|\s+|[^\s]+"#)
    let text = Array(repeatElement(Unicode.Scalar(" "), count: 20_000)) + ["a"]
    #expect(text.withUnsafeBufferPointer { pattern.matches(in: $0) } == [0..<19_999, 19_999..<20_000, 20_000..<20_001])
  }
}
