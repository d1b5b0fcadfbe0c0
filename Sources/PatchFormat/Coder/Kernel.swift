import CKernels
import Checkpoints
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

  /// Whether AVX-512 may stand for AVX2, where a kernel has both.
  static let usesAVX512 = vp_has_avx512() != 0 && getenv("VPATCH_ISA") == nil

  /// The one that `VPATCH_ISA` names, if this processor supports it; else the fastest.
  package static let chosen: Kernel = {
    guard let value = getenv("VPATCH_ISA"), let kernel = Kernel(rawValue: String(cString: value)),
      kernel.isSupported
    else { return best }
    return kernel
  }()
}

extension DType {
  /// The kernels' type; nil where the elements are not floats of the format.
  package var kernelType: vp_float? {
    switch name {
    case "F64": VP_F64
    case "F32": VP_F32
    case "F16": VP_F16
    case "BF16": VP_BF16
    case "F8_E5M2": VP_F8_E5M2
    case "F8_E4M3": VP_F8_E4M3
    default: nil
    }
  }
}
