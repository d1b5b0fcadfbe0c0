import Base

/// Features of a patch file that a reader must understand (spec, section 3.3). The bits are those of the preamble.
package struct PatchFlags: OptionSet, Hashable, Sendable {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The file holds tensors of an adapter, and chunks may use the low-rank coder.
  package static let lowRank = PatchFlags(rawValue: 1 << 0)
  /// Some tensors are copies of others.
  package static let copies = PatchFlags(rawValue: 1 << 1)

  package static let known: PatchFlags = [.lowRank, .copies]

  /// Names of the flags that are set, in ascending order of their bits; "bit 7" for an unknown one.
  package var names: [String] {
    (0..<64).filter { rawValue >> UInt64($0) & 1 == 1 }.map { bit in
      switch PatchFlags(rawValue: 1 << UInt64(bit)) {
      case .lowRank: "low-rank"
      case .copies: "copies"
      default: "bit \(bit)"
      }
    }
  }
}
