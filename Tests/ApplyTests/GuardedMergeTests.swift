import KernelChecks
import Testing

@Suite("The merge engine in guarded memory") struct GuardedMergeTests {
  @Test("all dtypes and rules; AVX2 gives the same bits", arguments: [VP_GUARD_END, VP_GUARD_BEGIN])
  func merge(guarded: vp_guard) {
    for seed in 0..<60 as Range<UInt64> {
      let failure = vp_check_merge(seed, guarded)
      #expect(failure == nil, "seed \(seed): \(failure.map { String(cString: $0) } ?? "")")
    }
  }
}
