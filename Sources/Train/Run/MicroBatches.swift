import Model
import Text

/// Splits a batch into micro-batches, so that the activations of each fit into memory.
enum MicroBatches {
  /// Tokens per micro-batch if the number of rows is not given.
  static let tokens = 2048

  /// - Parameter rows: per micro-batch; nil: as many as fit into `tokens`, at least one.
  static func split(_ batch: [Example], rows: Int?) -> [[Example]] {
    Batches.split(batch.map { rows == nil ? $0.ids.count : 1 }, limit: rows ?? tokens).map { Array(batch[$0]) }
  }

  /// The rows of one micro-batch with about the largest number of image tokens.
  /// - Parameter token: the image token; nil for a model without images.
  static func richest(_ examples: [Example], rows: Int?, token: Int32?) -> [Example] {
    let withImages = examples.filter { !$0.sequence.images.isEmpty }
      .map { example in (example: example, size: example.ids.count { $0 == token }) }
      .sorted { $0.size > $1.size }
    // Text rows would only lower the number of image tokens.
    let batches = Batches.split(withImages.map { rows == nil ? $0.size : 1 }, limit: rows ?? tokens)
    return batches.first.map { withImages[$0].map(\.example) } ?? []
  }

  /// Maximum number of tokens in a micro-batch of any batch.
  static func largest(_ examples: [Example], batch: Int, rows: Int?) -> Int {
    let lengths = examples.map(\.ids.count).sorted(by: >)
    if let rows { return lengths.prefix(min(rows, batch)).reduce(0, +) }
    return max(lengths.first ?? 0, min(tokens, lengths.prefix(batch).reduce(0, +)))
  }
}
