import Fuzzing
import Testing

@testable import Base

/// A short run of what `fuzz/run.sh` does at length: structured changes with repaired digests, decoded both ways. Nothing
/// may crash, hang or throw anything but a `VPatchError`; much must get past the digests.
@Suite struct MutationTests {
  @Test(.timeLimit(.minutes(2))) func patches() throws {
    let seeds = try ["accepted/ulp_classes_2", "accepted/sparse", "accepted/planes", "written/operations/task"].map {
      try contents(Fixtures.path("golden/\($0).vpatch"))
    }
    let targets = FuzzTargets()
    var changed = Set<ContentDigest>()
    for i in 0..<1500 {
      var random = StructuredMutator(seed: UInt64(i))
      let input = random.patch(seeds[i % seeds.count])
      var again = StructuredMutator(seed: UInt64(i))
      if i < 50 { #expect(again.patch(seeds[i % seeds.count]) == input, "the same seed, the same input") }
      changed.insert(SHA256Hasher.hash(input))
      input.withUnsafeBytes { targets.patch($0) }
    }
    #expect(changed.count > 1200)
    #expect(targets.accepted > 300, "\(targets.accepted)")
    #expect(targets.decoded > 300, "\(targets.decoded)")
  }

  @Test(.timeLimit(.minutes(1))) func safetensors() throws {
    let names = try Fixtures.names(in: "hostile-safetensors", suffix: ".safetensors").filter { $0.hasPrefix("valid_") }
    let seeds = try names.map { try contents(Fixtures.path("hostile-safetensors/\($0)")) }
    let targets = FuzzTargets()
    for i in 0..<3000 {
      var random = StructuredMutator(seed: UInt64(i))
      let seed = seeds[i % seeds.count]
      let length = min(Int(seed[0]) | Int(seed[1]) << 8, seed.count - 8)
      let text = random.json(Array(seed[8..<8 + length]))
      let input =
        i % 2 == 0 ? [UInt8](littleEndian: UInt64(text.count)) + text + seed[(8 + length)...] : random.bytes(seed)
      input.withUnsafeBytes { targets.safetensors($0) }
    }
    #expect(targets.accepted > 100, "\(targets.accepted)")
  }
}
