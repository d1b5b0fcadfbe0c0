import Base
import Images

extension RowEncoder {
  /// Token ids with one image token per image, or as many as the model uses for it.
  func ready(_ ids: [Int], _ labels: [Int]?, _ sources: [ImageSource]) throws -> Encoded {
    if let labels, labels.count != ids.count {
      throw RowError("has \(Format.counted(ids.count, "id")) and \(Format.counted(labels.count, "label"))")
    }
    let token = text.images?.token
    let known = try check(ids, "id", allowing: token)
    let learned =
      if let labels, !rules.learnsEverything { try check(labels, "label", allowing: Example.ignored, token) } else {
        known
      }
    return try expand(known, learned, sources)
  }

  private func check(_ values: [Int], _ noun: String, allowing others: Int32?...) throws -> [Int32] {
    try values.enumerated().map { i, value in
      guard (0..<rules.vocabulary).contains(value) || others.contains(where: { $0.map(Int.init) == value }) else {
        throw RowError("has the \(noun) \(value) (at \(i)); the model has \(Format.grouped(rules.vocabulary)) ids")
      }
      return Int32(value)
    }
  }

  private func expand(_ ids: [Int32], _ labels: [Int32], _ sources: [ImageSource]) throws -> Encoded {
    guard let images = text.images else { return Encoded(example: Example(ids: ids, labels: labels)) }
    let token = images.token
    let places = ids.count { $0 == token }
    guard !sources.isEmpty else {
      guard places == 0 else {
        throw RowError("has \(Format.counted(places, "image token")) (\(token)) but no images")
      }
      return Encoded(example: Example(ids: ids, labels: labels))
    }
    let counts = try images.counts(of: sources)
    let isReady = places != sources.count
    if isReady, !Self.fits(ids.split { $0 != token }.map(\.count), counts) {
      let total = counts.reduce(0, +)
      let each = counts.map(Format.grouped).joined(separator: ", ")
      throw RowError(
        "has \(Format.counted(places, "image token")) (\(token)) for \(Format.counted(sources.count, "image")): "
          + (counts.count == 1
            ? "give one, or the \(Format.grouped(total)) that the model uses for it, consecutively"
            : "give \(Format.grouped(sources.count)), one per image, or the \(Format.grouped(total)) "
              + "that the model uses for them (\(each)), consecutively per image"))
    }
    var result = Encoded(example: Example(ids: [], labels: []))
    var (newIds, newLabels): ([Int32], [Int32]) = ([], [])
    // Remaining tokens of the current image, if they are all in the row.
    var (image, left) = (0, 0)
    for (id, label) in zip(ids, labels) {
      guard id == token else {
        newIds.append(id)
        newLabels.append(label)
        continue
      }
      if left == 0 {
        result.runs.append(newIds.count..<newIds.count + counts[image])
        newIds += repeatElement(token, count: counts[image])
        newLabels += repeatElement(Example.ignored, count: counts[image])
        left = isReady ? counts[image] : 1
        image += 1
      }
      left -= 1
    }
    result.example = Example(ids: newIds, labels: newLabels, images: sources)
    return result
  }

  /// Whether each run consists of one or more whole images, in order.
  private static func fits(_ runs: [Int], _ counts: [Int]) -> Bool {
    var rest = counts[...]
    for run in runs {
      var left = run
      while left > 0 {
        guard let count = rest.popFirst() else { return false }
        left -= count
      }
      guard left == 0 else { return false }
    }
    return rest.isEmpty
  }
}
