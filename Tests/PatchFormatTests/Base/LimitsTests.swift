import Base
import Checkpoints
import Foundation
import PatchFormat
import Testing

/// Lengths from files are added up in many places; what may be added up has a limit where files are read and written.
@Suite struct LimitsTests {
  let scratch = Scratch()

  @Test func sums() {
    let limit = Limits.number
    #expect(limit == 9_007_199_254_740_991)
    for (lengths, sum) in [
      ([], 0), ([0], 0), ([limit], limit), ([limit - 1, 1], limit), ([limit, 1], nil), ([1, limit], nil),
      ([.max, .max], nil), ([limit, .max], nil), ([-1], nil), ([5, -1], nil),
      ([Int](repeating: limit, count: 2000), nil),
    ] as [([Int], Int?)] {
      #expect(lengths.sumWithinLimits() == sum, "\(lengths.prefix(3))")
    }
  }

  private func tensors(_ lengths: [Int]) -> [PatchWriter.Entry] {
    lengths.enumerated().map { i, length in
      let info = TensorInfo(name: "t\(1000 + i)", dtype: DType("U8")!, shape: [length], byteCount: length)
      let tensor = FingerprintedTensor(info, .zero)
      return PatchWriter.Entry(operation: .same, base: tensor, target: tensor, chunks: [])
    }
  }

  @Test func noPatchIsWrittenThatNoneReads() throws {
    let annex = try Patch(path: Fixtures.path("golden/accepted/raw.vpatch")).annex
    for lengths in [[Limits.number, 1], [Int](repeating: Limits.number, count: 1300)] {
      let error = refusal {
        _ = try PatchWriter(path: scratch.file("p")).finish(tensors(lengths), annex: annex, annotations: .object([]))
      }
      #expect(error?.code == .refused)
      #expect(error?.reason.contains("bytes together") == true, "\(error as Any)")
    }
    #expect(scratch.entries == [])
  }

  @Test func aHeaderAloneHasTheSameLimit() throws {
    func header(_ lengths: [Int]) throws -> Int {
      let infos = lengths.enumerated().map { i, length in
        TensorInfo(name: "t\(1000 + i)", dtype: DType("U8")!, shape: [length], byteCount: length)
      }
      return try SafetensorsHeader(text: SafetensorsHeader.text(for: infos, metadata: []), subject: "x").dataCount
    }
    #expect(try header([Limits.number]) == Limits.number)
    #expect(try header([Limits.number - 5, 5]) == Limits.number)
    for lengths in [[Limits.number, 1], [Limits.number, Limits.number]] {
      let error = refusal { _ = try header(lengths) }
      #expect(error?.reason.contains("of the data; at most \(Limits.number) are allowed") == true, "\(error as Any)")
    }
  }
}
