import CKernels
import Glibc

/// The decoder implementation. Both give the same bits. `VPATCH_ISA=baseline|avx2` selects one for tests and
/// benchmarks.
package enum Kernel: String, Sendable, CaseIterable {
  /// Swift, for every processor.
  case portable = "baseline"
  case avx2

  package var isSupported: Bool { self == .portable || vp_has_avx2() != 0 }

  /// The fastest that this processor supports.
  package static var best: Kernel { Kernel.avx2.isSupported ? .avx2 : .portable }

  /// The one that `VPATCH_ISA` names, if this processor supports it; else the fastest.
  package static let chosen: Kernel = {
    guard let value = getenv("VPATCH_ISA"), let kernel = Kernel(rawValue: String(cString: value)),
      kernel.isSupported
    else { return best }
    return kernel
  }()
}
