import Base
import Images

/// An example that a row gives, with its text.
package struct EncodedRow: Sendable {
  package let example: Example
  /// The text with the parts that count in the loss; empty for rows of ids.
  package let segments: [Segment]
}

extension ModelText {
  /// Encodes one row of a data file.
  /// - Parameters:
  ///   - json: the row, as in a JSON Lines file.
  ///   - folder: holds the images that the row names; nil for none.
  /// - Returns: one example, or several for a conversation whose answers each need their own text; none for a row that
  ///   is marked as not trained.
  /// - Throws: `invalid` with the reason for a row that cannot be used; `refused` if the model lacks something that it
  ///   needs.
  package func encode(row json: [UInt8], imagesIn folder: String?, _ rules: DataRules) throws -> [EncodedRow] {
    do {
      let row = try Row(json)
      var images: [String: Result<ImageSource, RowError>] = [:]
      if let folder, let shelf {
        let enclosure = ImageFolder(of: Path.join(folder, "row"), allowsOutside: rules.allowsOutside)
        for name in row.images { images[name] = .success(try shelf.source(enclosure.path(of: name))) }
      }
      let encoded = try RowEncoder(rules: rules, text: self).encode(row, images)
      return encoded.examples.map { EncodedRow(example: $0.example, segments: $0.segments) }
    } catch let error as RowError {
      throw VPatchError(.invalid, nil, "the row \(error.reason)")
    }
  }
}
