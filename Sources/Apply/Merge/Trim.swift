import CKernels
import Checkpoints
import PatchFormat

/// Which differences TIES keeps of a patch's tensor (spec/stacks.md, section 5.4): those above a threshold magnitude,
/// and the first few of those equal to it. Magnitudes are the bits of a float64, whose order is that of the values.
struct Trim: Equatable, Sendable {
  package let magnitude: UInt64
  /// From this element on, differences of exactly the threshold magnitude are not kept.
  package let before: Int

  /// Only zeros are trimmed.
  package static let nothing = Trim(magnitude: 0, before: 0)

  /// Finds the threshold digit by digit from the top: one pass over the tensor per digit. Usually the first pass
  /// suffices.
  init(_ share: Double, of tuned: any TensorSource, over base: any TensorSource, _ kernel: Kernel) throws {
    let pair = TensorPair(base, tuned, kernel)
    let count = base.info.elementCount
    var left = UInt64(max(1, (share * Double(count)).rounded(.down)))
    var prefix: UInt64 = 0
    var shift: UInt32 = 63
    while true {
      // A large table saves a pass, but costs more than a pass over a small tensor.
      let digits = min(shift, shift == 63 && count > 1 << 16 ? 19 : 13)
      let isFirst = shift == 63
      shift -= digits
      let found = try pair.counts(shift, digits, prefix)
      if isFirst, found.total <= left {
        self = .nothing
        return
      }
      let digit = kernel.merging.reach(found.counts, found.counts.count, &left)
      prefix = prefix << UInt64(digits) | UInt64(digit)
      // No bits remain below the last digit.
      if found.low == 0 {
        magnitude = prefix << UInt64(shift)
        before = found.counts[digit] == left ? count : try pair.end(of: left, magnitude)
        return
      }
    }
  }

  private init(magnitude: UInt64, before: Int) {
    self.magnitude = magnitude
    self.before = before
  }

  /// Differences of a greater magnitude than this are kept, at element `index`.
  package func above(at index: Int) -> UInt64 { index < before ? magnitude - 1 : magnitude }
}
