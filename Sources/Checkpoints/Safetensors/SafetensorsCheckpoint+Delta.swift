// A canonical delta is a folder that looks like a model's: shards with an index. But its tensors are compressed
// differences, and the index says so in its metadata. Read as a model, it would be one of other shapes.

import Base

extension SafetensorsCheckpoint {
  /// The member of an index's metadata that only a canonical delta has.
  package static let deltaMark = "delta_encoding"

  /// Whether a folder is a canonical delta.
  /// - Throws: `io`; `invalid` where its index is too large.
  package static func isDelta(folder path: String) throws -> Bool {
    let index = Path.join(path, indexName)
    guard try PathKind.of(path) == .directory, try PathKind.of(index) == .file else { return false }
    return isOfDelta(index: try InputFile.contents(of: index, limit: SafetensorsHeader.maximumLength))
  }

  /// Whether an index is that of a canonical delta.
  static func isOfDelta(index text: [UInt8]) -> Bool {
    // Few indices have the word at all: most are not parsed.
    guard text.firstPlace(of: Array(deltaMark.utf8), in: 0..<text.count) != nil else { return false }
    return (try? JSON.parse(text))?["metadata"]?[deltaMark] != nil
  }

  /// The error where a model or a patch is expected.
  package static func isDelta(_ path: String) -> VPatchError {
    VPatchError(
      .invalid, path, "is a canonical delta, which holds only the differences from its base",
      remedy: "make a patch of it, and use that: vpatch create BASE \(path.printable) -o task.vpatch")
  }
}
