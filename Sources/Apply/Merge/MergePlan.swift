import Base
import CKernels
import Checkpoints
import PatchFormat
import Synchronization

/// What must be known of whole tensors before an element can be merged.
enum MergePlan: Sendable {
  case none
  /// For each contributor, which differences are kept.
  case trims([Trim])
  case slerp(SlerpCoefficients)

  /// - Parameter base, tuned: read once or more, from front to back.
  init(
    _ tensor: Merge.TouchedTensor, _ rule: MergeRule, _ kernel: Kernel, base: any TensorSource,
    tuned: [any TensorSource]
  ) throws {
    if let share = rule.trimmed {
      self = .trims(try tuned.map { try Trim(share, of: $0, over: base, kernel) })
    } else if case .slerp(let t) = rule.kind {
      let (a, b) = tensor.sides(base, tuned)
      self = .slerp(try SlerpCoefficients(t: t, between: a, and: b, kernel))
    } else {
      self = .none
    }
  }
}

/// The plans, each made once per tensor and shared by all readers.
final class MergePlans: Sendable {
  private let plans = Mutex<[String: MergePlan]>([:])

  func plan(of name: String, _ make: () throws -> MergePlan) throws -> MergePlan {
    if let plan = plans.withLock({ $0[name.bytesKey] }) { return plan }
    // Two threads may both compute it; the results are equal.
    let plan = try make()
    plans.withLock { $0[name.bytesKey] = plan }
    return plan
  }
}

extension Merge.TouchedTensor {
  /// The two sides of a SLERP: the base's tensor for a member that does not touch it.
  package func sides<T>(_ base: T, _ tuned: [T]) -> (T, T) {
    guard tuned.count == 1 else { return (tuned[0], tuned[1]) }
    return contributors[0].isFirst ? (tuned[0], base) : (base, tuned[0])
  }
}

extension Kernel {
  /// The merge kernels.
  package var merging: vp_merge_kernels { self == .avx2 ? vp_merge_avx2 : vp_merge_baseline }
}
