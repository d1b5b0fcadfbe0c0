import Base
import Images
import Testing
import Text

@testable import Model

/// Where tokens and images lie in a batch.
struct TokenBatchTests {
  static let image = ImageSource(path: "a.png", digest: SHA256Hasher.hash("a"), width: 1, height: 1)

  @Test("an image of rows and columns takes one moment, and text goes on behind the larger of both")
  func axes() {
    // Two words, an image of 2 × 3, a word; and a sequence without images that something came before.
    let grid = ImageGrid(tokens: 6, columns: 3)
    let batch = TokenBatch(
      [TokenSequence([7, 8, 5, 5, 5, 5, 5, 5, 9], images: [Self.image]), TokenSequence([1, 2])], imageToken: 5,
      grids: [grid], from: [0, 40])
    #expect(batch.positions.axes[0] == [0, 1, 2, 2, 2, 2, 2, 2, 5, 40, 41])
    #expect(batch.positions.axes[1] == [0, 1, 2, 2, 2, 3, 3, 3, 5, 40, 41])
    #expect(batch.positions.axes[2] == [0, 1, 2, 3, 4, 2, 3, 4, 5, 40, 41])
    #expect(batch.positions.next(after: 0..<9) == 6)
    #expect(batch.sequences == [0..<9, 9..<11])
    #expect(batch.images == [.init(rows: 2..<8, feature: 0)])
    #expect(batch.embedded == [0..<2, 8..<11])
  }

  @Test("an image without columns is as text; neighbours share a run") func neighbours() {
    let batch = TokenBatch(
      [TokenSequence([5, 5, 5, 1, 5], images: [Self.image, Self.image, Self.image])], imageToken: 5,
      grids: [ImageGrid(tokens: 1), ImageGrid(tokens: 2), ImageGrid(tokens: 1)])
    #expect(batch.positions.axes == [[Int32]](repeating: [0, 1, 2, 3, 4], count: 3))
    #expect(
      batch.images == [.init(rows: 0..<1, feature: 0), .init(rows: 1..<3, feature: 1), .init(rows: 4..<5, feature: 3)])
    #expect(batch.embedded == [3..<4])
  }

  @Test("a part has its own share of an image") func parts() {
    let whole = TokenBatch(
      [TokenSequence([1, 5, 5, 5, 5, 2], images: [Self.image])], imageToken: 5,
      grids: [ImageGrid(tokens: 4, columns: 2)])
    let (first, rest) = (whole.part(0..<3), whole.part(3..<6))
    #expect(first.images == [.init(rows: 1..<3, feature: 0)])
    #expect(rest.images == [.init(rows: 0..<2, feature: 2)])
    #expect(rest.positions.axes[1] == [2, 2, 3])
    #expect(first.ids + rest.ids == whole.ids)
  }

  @Test(
    "ids and images that do not go together have no places",
    arguments: [
      [1, 5, 5, 2], [1, 5, 5, 5, 5, 2], [5, 1, 5, 5], [1, 2],
    ] as [[Int32]])
  func mismatch(_ ids: [Int32]) {
    #expect(ImageGrid.places([ImageGrid(tokens: 3)], in: ids, token: 5) == nil)
    #expect(ImageGrid.places([ImageGrid(tokens: 3)], in: ids, token: nil) == nil)
    #expect(ImageGrid.places([], in: ids, token: 5) == [])
  }
}
