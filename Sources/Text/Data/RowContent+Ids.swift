import Base

extension RowContent {
  /// Ready ids, and what of them is learned: by labels, or by a mask, which trainers call by several names.
  static func ids(_ row: inout RowMembers) throws -> Row.Content {
    guard var ids = try row.numbers("input_ids") else { throw RowError("has no \"input_ids\" that is a list") }
    var labels = try row.numbers("labels")
    let images = try RowImages(&row).listed
    for key in ["completion_mask", "assistant_masks", "loss_mask"] {
      guard let mask = try row.mask(key, count: ids.count) else { continue }
      guard labels == nil else {
        throw RowError("has a \"\(key)\" besides labels or another mask: one of them has to say what is learned")
      }
      labels = zip(ids, mask).map { $1 ? $0 : Int(Example.ignored) }
    }
    if let labels, labels.count != ids.count {
      throw RowError("has \(Format.counted(ids.count, "id")) and \(Format.counted(labels.count, "label"))")
    }
    var seen = ids.indices
    if let mask = try row.mask("attention_mask", count: ids.count) {
      // What is not looked at at either end is padding, which nothing is computed for here.
      seen = mask.firstIndex(of: true).map { $0..<mask.lastIndex(of: true)! + 1 } ?? 0..<0
      guard mask[seen].allSatisfy({ $0 }) else {
        throw RowError("has an \"attention_mask\" with zeros among ones: only padding at the ends can be left out")
      }
    }
    if let positions = try row.numbers("position_ids") {
      guard positions.count == ids.count, positions[seen].elementsEqual(0..<seen.count) else {
        throw RowError("has \"position_ids\" that do not count from 0: rows that are packed together are not supported")
      }
    }
    ids = Array(ids[seen])
    labels = labels.map { Array($0[seen]) }
    if let types = try row.numbers("token_type_ids"), types.contains(where: { $0 != 0 }) {
      throw RowError("has \"token_type_ids\" other than 0, which no model here reads")
    }
    return .ids(ids, labels: labels, images: images)
  }
}
