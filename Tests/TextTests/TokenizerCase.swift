import Base
import Foundation
import Testing
import Text

/// A text (or ids alone) and what Hugging Face makes of it; the form is that of `fixtures/tokenizers/make.py`.
struct TokenizerCase {
  let text: String?
  let ids: [Int32]
  /// Without special tokens.
  let bare: [Int32]
  let decoded: String
  let skipped: String

  init(_ json: JSON) throws {
    func ids(_ key: String) -> [Int32]? { json[key]?.array?.compactMap { $0.int.map(Int32.init) } }
    text = json["text"]?.string
    self.ids = try #require(ids("ids"))
    bare = ids("bare") ?? self.ids
    decoded = try #require(json["decoded"]?.string ?? text)
    skipped = json["skipped"]?.string ?? decoded
  }

  /// What differs, in words; nil where nothing does.
  func difference(_ tokenizer: Tokenizer) -> String? {
    if let text {
      let name = "\"\(text.printable)\""
      let found = tokenizer.encode(text)
      if found != ids { return "\(name): ids \(found) and not \(ids)" }
      let bare = tokenizer.encode(text, addSpecialTokens: false)
      if bare != self.bare { return "\(name): bare ids \(bare) and not \(self.bare)" }
    }
    for (skips, expected) in [(false, decoded), (true, skipped)] {
      let found = tokenizer.decode(ids, skipSpecialTokens: skips)
      if !found.isSame(as: expected) {
        return "\(ids): decoded \"\(found.printable)\" and not \"\(expected.printable)\" (skipping: \(skips))"
      }
    }
    return nil
  }

  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "fixtures/tokenizers").path

  /// The names of the folders with tokenizers.
  static let names =
    (try? Path.entries(of: fixtures))?.filter { try! PathKind.of("\(fixtures)/\($0)") == .directory } ?? []

  static func load(_ folder: String) throws -> [TokenizerCase] {
    var cases: [TokenizerCase] = []
    try InputFile(path: "\(folder)/cases.jsonl").forEachLine(limit: 1 << 20) { _, line in
      cases.append(try TokenizerCase(JSON.parse(line)))
    }
    return cases
  }
}
