import Base
import Foundation
import Testing
import Text

/// Many more texts, written by `bench/tokenizer_cases.py` (real vocabularies) and `bench/tokenizer_folders.py` (folders by
/// chance); opt in with `VPATCH_TOKENIZERS=FOLDER`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VPATCH_TOKENIZERS"] != nil))
struct TokenizerComparisonTests {
  /// What was found of the folders of one kind: "llama+LlamaTokenizer+00", "…+01".
  private struct Found {
    var folders = 0
    var cases = 0
    var refused: [String] = []
  }

  @Test func idsAndTextsAreThoseOfHuggingFace() throws {
    let folder = try #require(ProcessInfo.processInfo.environment["VPATCH_TOKENIZERS"])
    var found: [String: Found] = [:]
    for name in try Path.entries(of: folder).sorted() where try PathKind.of("\(folder)/\(name)/cases.jsonl") == .file {
      let kind = name.split(separator: "+").prefix(2).joined(separator: ", ")
      found[kind, default: Found()].folders += 1
      let tokenizer: Tokenizer
      do {
        tokenizer = try Tokenizer(folder: "\(folder)/\(name)")
      } catch let error as VPatchError {
        found[kind]!.refused.append("\(name): \(error)")
        continue
      }
      let cases = try TokenizerCase.load("\(folder)/\(name)")
      let differences = try Parallel.map(cases.count, threads: 2) { cases[$0].difference(tokenizer) }.compactMap(\.self)
      found[kind]!.cases += cases.count
      if !differences.isEmpty { print("\(name): \(cases.count) cases, \(differences.count) differ") }
      for difference in differences.prefix(5) { print("  \(difference)") }
      #expect(differences.isEmpty, "\(name)")
    }
    for (kind, result) in found.sorted(by: { $0.key < $1.key }) {
      print("\(kind): \(result.cases) cases in \(result.folders) folders, of which \(result.refused.count) refused")
      for refusal in result.refused.prefix(3) { print("  \(refusal)") }
    }
    let refused = found.values.count { $0.refused.count == $0.folders }
    #expect(Double(refused) <= 0.05 * Double(found.count), "\(refused) of \(found.count) kinds are refused")
  }
}
