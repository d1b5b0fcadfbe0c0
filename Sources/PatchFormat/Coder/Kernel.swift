import CKernels
import Glibc

/// Which code decodes. All give the same bits; `VPATCH_ISA=baseline|avx2|avx512` chooses one for tests and benchmarks.
public enum Kernel: String, Sendable, CaseIterable {
  /// Swift, for every processor.
  case portable = "baseline"
  case avx2
  case avx512

  /// The best that this processor can run.
  public static var best: Kernel {
    switch vp_instruction_set() {
    case 2: .avx512
    case 1: .avx2
    default: .portable
    }
  }

  public var isSupported: Bool {
    switch self {
    case .portable: true
    case .avx2: vp_instruction_set() >= 1
    case .avx512: vp_instruction_set() >= 2
    }
  }

  /// What `VPATCH_ISA` asks for, where this processor has it; else the best.
  public static let chosen: Kernel = {
    guard let value = getenv("VPATCH_ISA"), let kernel = Kernel(rawValue: String(cString: value)),
      kernel.isSupported
    else { return best }
    return kernel
  }()
}
