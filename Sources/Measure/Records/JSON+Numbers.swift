import Base

// Numbers in results files, written by Python's json, pandas and argparse.

extension JSON {
  /// Accepts both 400 and 400.0, which Python may write for the same number.
  var wholeNumber: Int? { int ?? double.flatMap { Int(exactly: $0) } }

  /// The same with every number in its shortest form: 400 for 400.0.
  var withPlainNumbers: JSON {
    switch self {
    case .number(let text): Double(text).map { $0.isFinite ? JSON($0) : self } ?? self
    case .array(let values): .array(values.map(\.withPlainNumbers))
    case .object(let members): .object(members.map { Member($0.key, $0.value.withPlainNumbers) })
    default: self
    }
  }

  /// NaN and infinities replaced by text.
  var withNonFiniteAsText: JSON {
    switch self {
    case .number(let text): Double(text)?.isFinite ?? true || text.first?.isNumber ?? true ? self : .string(text)
    case .array(let values): .array(values.map(\.withNonFiniteAsText))
    case .object(let members): .object(members.map { Member($0.key, $0.value.withNonFiniteAsText) })
    default: self
    }
  }

  /// Whether the values are equal; numbers are compared by value.
  func saysTheSame(as other: JSON) -> Bool {
    withPlainNumbers.canonical() == other.withPlainNumbers.canonical()
  }
}
