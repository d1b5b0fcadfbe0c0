import Base
import KernelChecks
import TestModels
import Testing

/// A decoder that reads behind a file, or writes beside the pixels, ends the process.
@Suite("Images in guarded memory") struct GuardedImageTests {
  @Test("resizing and inflating", arguments: [VP_GUARD_END, VP_GUARD_BEGIN]) func resizing(guarded: vp_guard) {
    for seed in 0..<300 as Range<UInt64> {
      let failure = vp_check_resizing(seed, guarded)
      #expect(failure == nil, "seed \(seed): \(failure.map { String(cString: $0) } ?? "")")
    }
  }

  @Test("every fixture, whole, cut and damaged") func files() throws {
    for folder in [Fixtures.path("images"), Fixtures.path("images/hostile")] {
      for name in try Path.entries(of: folder) where [".png", ".jpg", ".webp"].contains(where: { name.hasSuffix($0) }) {
        let bytes = try InputFile.contents(of: Path.join(folder, name), limit: 1 << 24)
        guard bytes.count < 1 << 16 else { continue }
        for guarded in [VP_GUARD_END, VP_GUARD_BEGIN] {
          let failure = vp_check_image(bytes, bytes.count, UInt64(bytes.count), 6, guarded)
          #expect(failure == nil, "\(name): \(failure.map { String(cString: $0) } ?? "")")
        }
      }
    }
  }
}
