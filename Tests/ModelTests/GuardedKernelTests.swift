import KernelChecks
import Testing

/// A kernel that reads or writes beside its matrices ends the process.
@Suite("Kernels of models in guarded memory") struct GuardedKernelTests {
  @Test("conversions, products, and the rest, with all instructions", arguments: [VP_GUARD_END, VP_GUARD_BEGIN])
  func kernels(guarded: vp_guard) {
    for (name, check, seeds) in [
      ("conversions", vp_check_conversions, 200), ("products", vp_check_products, 400),
      ("the rest", vp_check_model_kernels, 400),
    ] {
      for seed in 0..<seeds {
        let failure = check(UInt64(seed), guarded)
        #expect(failure == nil, "\(name), seed \(seed): \(failure.map { String(cString: $0) } ?? "")")
      }
    }
  }
}
