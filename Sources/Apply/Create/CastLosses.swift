import Base
import Checkpoints

/// Values that a cast changed by more than rounding.
package struct CastLosses: Hashable, Sendable {
  /// Finite before, infinite after.
  package internal(set) var infinite = 0
  /// Numbers (or infinities) before, NaN after.
  package internal(set) var notANumber = 0
  /// Beyond the largest number of the dtype, and clamped to it.
  package internal(set) var clamped = 0
  /// Not zero before, zero after.
  package internal(set) var zero = 0
  /// Zeros and negative numbers, in a dtype without either.
  package internal(set) var unsigned = 0

  package var total: Int { infinite + notANumber + clamped + zero + unsigned }

  package mutating func add(_ value: Double, as result: Double, _ format: CastTensor.Element) {
    if value.isNaN { return }
    if result.isNaN {
      notANumber += 1
    } else if value.isFinite, result.isInfinite {
      infinite += 1
    } else if value != 0, result == 0 {
      zero += 1
    } else if value <= 0, result > 0 {
      unsigned += 1
    } else if result.isFinite, abs(value) > format.largestRounded {
      clamped += 1
    }
  }

  package mutating func add(_ other: CastLosses) {
    infinite += other.infinite
    notANumber += other.notANumber
    clamped += other.clamped
    zero += other.zero
    unsigned += other.unsigned
  }

  /// "2 values became infinite, 1 NaN"; nil where nothing was lost.
  package var text: String? {
    let parts = [
      (infinite, "infinite"), (notANumber, "NaN"), (clamped, "the largest number of the dtype"), (zero, "zero"),
      (unsigned, "another number, since the dtype has no sign and no zero"),
    ].filter { $0.0 > 0 }
    guard let first = parts.first else { return nil }
    let rest = parts.dropFirst().map { "\(Format.grouped($0.0)) \($0.1)" }
    return (["\(Format.counted(first.0, "value")) became \(first.1)"] + rest).joined(separator: ", ")
  }

  package var json: JSON {
    .dictionary([
      "infinite": JSON(infinite), "nan": JSON(notANumber), "clamped": JSON(clamped), "zero": JSON(zero),
      "unsigned": JSON(unsigned),
    ])
  }
}

/// The cast of some tensors from one dtype to another.
package struct CastSummary: Hashable, Sendable {
  package let from: DType
  package let to: DType
  package internal(set) var tensors = 0
  /// How many of these differ from the base after the cast.
  package internal(set) var changed = 0
  package internal(set) var values = 0
  package internal(set) var losses = CastLosses()

  /// "9 tensors (3,072 values) F32 → BF16, 4 of them changed; 2 values became infinite"
  package var text: String {
    "\(Format.counted(tensors, "tensor")) (\(Format.grouped(values)) values) \(from) → \(to)"
      + (changed == tensors ? "" : ", \(Format.grouped(changed)) of them changed")
      + (losses.text.map { "; \($0)" } ?? "")
  }

  package var json: JSON {
    .dictionary([
      "from": .string(from.name), "to": .string(to.name), "tensors": JSON(tensors),
      "changed": JSON(changed), "values": JSON(values),
      "lost": losses.json,
    ])
  }
}
