import CKernels
import PatchFormat

/// A stack's method as numbers: the weight of each member, and how differences are combined.
package struct MergeRule: Sendable {
  package enum Kind: Sendable {
    case differences(vp_merge_rule)
    /// From the first member's tensor to the second's.
    case slerp(t: Double)
  }

  package let kind: Kind
  /// In the order of the definition's members; nil for those without effect.
  package let members: [Member?]
  /// Whether the result is a mean of tensors: a member that does not touch one counts with the base's.
  package let isMean: Bool
  /// The share of the largest differences that is kept; nil without trimming.
  package let trimmed: Double?
  /// A difference is dropped unless its 53 random bits are below this; nil without dropping.
  let keepBelow: UInt64?
  package let seed: UInt64
  package let lambda: Double
  /// Factor of the merged difference: 1 − toward-base.
  package let rest: Double

  package struct Member: Sendable {
    package let scale: Double
    package let weight: Double
  }

  init(_ definition: StackDefinition) {
    let method = definition.method
    let density = method.density ?? 1
    seed = method.seed ?? 0
    lambda = method.lambda ?? 1
    rest = method.rest
    trimmed = method.kind == .ties && density < 1 ? density : nil
    keepBelow = method.kind != .ties && density < 1 ? UInt64((density * 0x1p53).rounded(.up)) : nil
    isMean = method.kind == .linear || method.kind == .slerp

    var scales = definition.members.map(\.scale)
    let total = scales.reduce(0, +)
    kind =
      switch method.kind {
      case .sum, .linear, .dare: .differences(VP_ADD)
      case .ties: .differences(VP_ELECT_MEAN)
      case .dareTies: .differences(VP_ELECT_SUM)
      case .slerp:
        switch scales[1] / total {
        case 0: .differences(VP_ADD)
        case 1: .differences(VP_ADD)
        case let t: .slerp(t: t)
        }
      }
    // At either end SLERP yields just one of the two tensors.
    if method.kind == .slerp, case .differences = kind { scales = scales.map { $0 == total ? 1 : 0 } }
    members = scales.map { scale in
      guard scale != 0 else { return nil }
      let weight =
        switch method.kind {
        case .sum, .ties: scale
        case .linear: scale / total
        case .dare, .dareTies: scale / density
        case .slerp: 1.0
        }
      return Member(scale: scale, weight: weight)
    }
  }
}

extension MergeMethod {
  /// Factor of the merged difference: 1 − toward-base.
  package var rest: Double { 1 - towardBase }
}
