import CKernels
import Glibc

/// Which code decodes. Both give the same bits; `VPATCH_ISA=baseline|avx2` chooses one for tests and benchmarks.
package enum Kernel: String, Sendable, CaseIterable {
  /// Swift, for every processor.
  case portable = "baseline"
  case avx2

  package var isSupported: Bool { self == .portable || vp_has_avx2() != 0 }

  /// The best that this processor can run.
  package static var best: Kernel { Kernel.avx2.isSupported ? .avx2 : .portable }

  /// What `VPATCH_ISA` asks for, where this processor has it; else the best.
  package static let chosen: Kernel = {
    guard let value = getenv("VPATCH_ISA"), let kernel = Kernel(rawValue: String(cString: value)),
      kernel.isSupported
    else { return best }
    return kernel
  }()
}
