import Model
import Text

/// A batch in portions that go through the model together, so that what is kept of them fits into memory.
enum MicroBatches {
  /// Tokens of a portion, where nobody says how many rows it is to have.
  static let tokens = 2048

  /// - Parameter rows: of each portion; nil: as many as make up `tokens`, at least one.
  static func split(_ batch: [Example], rows: Int?) -> [[Example]] {
    Batches.split(batch.map { rows == nil ? $0.ids.count : 1 }, limit: rows ?? tokens).map { Array(batch[$0]) }
  }

  /// Rows that may go through the model together, with about as many image tokens as any that do.
  /// - Parameter token: stands for images; nil for a model that takes none.
  static func richest(_ examples: [Example], rows: Int?, token: Int32?) -> [Example] {
    let seeing = examples.filter { !$0.sequence.images.isEmpty }
      .map { example in (example: example, size: example.ids.count { $0 == token }) }
      .sorted { $0.size > $1.size }
    // Text beside the images would only make it fewer.
    let portions = Batches.split(seeing.map { rows == nil ? $0.size : 1 }, limit: rows ?? tokens)
    return portions.first.map { seeing[$0].map(\.example) } ?? []
  }

  /// The most tokens that a portion of any batch may have.
  static func largest(_ examples: [Example], batch: Int, rows: Int?) -> Int {
    let lengths = examples.map(\.ids.count).sorted(by: >)
    if let rows { return lengths.prefix(min(rows, batch)).reduce(0, +) }
    return max(lengths.first ?? 0, min(tokens, lengths.prefix(batch).reduce(0, +)))
  }
}
