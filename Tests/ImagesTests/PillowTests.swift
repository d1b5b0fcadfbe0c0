import Foundation
import Testing

@testable import Images

/// Pixels and values as Pillow 13.0.0 and transformers 5.23.0 make them, to the last bit.
@Suite("Pillow and transformers") struct PillowTests {
  @Test("every mode, every resampling, every processor") func fixtures() throws {
    let (differing, counts) = try ImageCase.run(Fixtures.path("images"))
    #expect(differing.isEmpty, "\(differing.joined(separator: "\n"))")
    #expect(counts[.decode]! > 70 && counts[.resize]! == 40 && counts[.process]! > 140)
  }

  /// Thousands of images by chance, as `bench/image_cases.py` writes them.
  @Test("the cases of VPATCH_IMAGES", .enabled(if: ProcessInfo.processInfo.environment["VPATCH_IMAGES"] != nil))
  func comparison() throws {
    let folder = try #require(ProcessInfo.processInfo.environment["VPATCH_IMAGES"])
    let (differing, counts) = try ImageCase.run(folder)
    print("\(counts[.decode] ?? 0) decoded, \(counts[.resize] ?? 0) resized, \(counts[.process] ?? 0) processed;")
    print("\(differing.count) differ", differing.prefix(40).joined(separator: "\n"), separator: "\n")
    #expect(!counts.isEmpty && differing.isEmpty)
  }
}
