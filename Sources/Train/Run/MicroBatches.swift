import Model
import Text

/// A batch in portions that go through the model together, so that what is kept of them fits into memory.
enum MicroBatches {
  /// Tokens of a portion, where nobody says how many rows it is to have.
  static let tokens = 2048

  /// - Parameter rows: of each portion; nil: as many as make up `tokens`, at least one.
  static func split(_ batch: [Example], rows: Int?) -> [[Example]] {
    Portions.split(batch.map { rows == nil ? $0.ids.count : 1 }, limit: rows ?? tokens).map { Array(batch[$0]) }
  }

  /// Rows that may go through the model together, with as many image tokens as any that do.
  static func richest(_ examples: [Example], rows: Int?) -> [Example] {
    let seeing = examples.filter { !$0.sequence.images.isEmpty }.sorted { $0.ids.count > $1.ids.count }
    return split(seeing, rows: rows).first ?? []
  }

  /// The most tokens that a portion of any batch may have.
  static func largest(_ examples: [Example], batch: Int, rows: Int?) -> Int {
    let lengths = examples.map(\.ids.count).sorted(by: >)
    if let rows { return lengths.prefix(min(rows, batch)).reduce(0, +) }
    return max(lengths.first ?? 0, min(tokens, lengths.prefix(batch).reduce(0, +)))
  }
}
