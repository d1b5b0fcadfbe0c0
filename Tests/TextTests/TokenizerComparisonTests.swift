import Foundation
import PatchFormat
import Testing
import Text

/// Many more texts and real vocabularies, written by `bench/tokenizer_cases.py`; opt in with `VPATCH_TOKENIZERS=FOLDER`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VPATCH_TOKENIZERS"] != nil))
struct TokenizerComparisonTests {
  @Test func idsAndTextsAreThoseOfHuggingFace() throws {
    let folder = try #require(ProcessInfo.processInfo.environment["VPATCH_TOKENIZERS"])
    for name in try Path.entries(of: folder) where try PathKind.of("\(folder)/\(name)/cases.jsonl") == .file {
      let tokenizer = try Tokenizer(folder: "\(folder)/\(name)")
      let cases = try TokenizerCase.load("\(folder)/\(name)")
      let differences = try Parallel.map(cases.count, threads: 2) { cases[$0].difference(tokenizer) }.compactMap(\.self)
      print("\(name): \(cases.count) cases, \(differences.count) differ")
      for difference in differences.prefix(5) { print("  \(difference)") }
      #expect(differences.isEmpty, "\(name)")
    }
  }
}
