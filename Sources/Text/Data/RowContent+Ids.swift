import Base

extension RowContent {
  /// Token ids, with labels or a mask for the loss, which trainers give different names.
  static func ids(_ row: RowReader) throws -> Row.Content {
    guard var ids = try row.integers("input_ids") else { throw RowError("has no \"input_ids\" that is a list") }
    var labels = try row.integers("labels")
    let images = try RowImages(row).listed
    for key in ["completion_mask", "assistant_masks", "loss_mask"] {
      guard let mask = try row.mask(key, count: ids.count) else { continue }
      guard labels == nil else {
        throw RowError("has a \"\(key)\" besides labels or another mask: keep only one of them")
      }
      labels = zip(ids, mask).map { $1 ? $0 : Int(Example.ignored) }
    }
    if let labels, labels.count != ids.count {
      throw RowError("has \(Format.counted(ids.count, "id")) and \(Format.counted(labels.count, "label"))")
    }
    var seen = ids.indices
    if let mask = try row.mask("attention_mask", count: ids.count) {
      // Masked tokens at both ends are padding, which is removed.
      seen = mask.firstIndex(of: true).map { $0..<mask.lastIndex(of: true)! + 1 } ?? 0..<0
      guard mask[seen].allSatisfy({ $0 }) else {
        throw RowError("has an \"attention_mask\" with zeros among ones: only padding at the ends is supported")
      }
    }
    if let positions = try row.integers("position_ids") {
      guard positions.count == ids.count, positions[seen].elementsEqual(0..<seen.count) else {
        throw RowError("has \"position_ids\" that do not count from 0: packed rows are not supported")
      }
    }
    ids = Array(ids[seen])
    labels = labels.map { Array($0[seen]) }
    if let types = try row.integers("token_type_ids"), types.contains(where: { $0 != 0 }) {
      throw RowError("has \"token_type_ids\" other than 0, which is not supported")
    }
    return .ids(ids, labels: labels, images: images)
  }
}
