/// A JSON value (RFC 8259) that keeps the order of keys and distinguishes whole numbers.
package enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number without sign, fraction, exponent or leading zero that fits.
  case integer(UInt64)
  /// Any other number, as written.
  case number(String)
  case string(String)
  case array([JSON])
  /// Members in the order of the text. Keys are unique.
  case object([Member])

  package struct Member: Equatable, Sendable {
    package let key: String
    package let value: JSON
    package init(_ key: String, _ value: JSON) {
      self.key = key
      self.value = value
    }
  }

  package var string: String? { if case .string(let s) = self { s } else { nil } }
  package var array: [JSON]? { if case .array(let a) = self { a } else { nil } }
  package var object: [Member]? { if case .object(let o) = self { o } else { nil } }
  package var bool: Bool? { if case .bool(let b) = self { b } else { nil } }

  /// A whole number that fits an `Int`.
  package var int: Int? { if case .integer(let n) = self { Int(exactly: n) } else { nil } }

  package var double: Double? {
    switch self {
    case .integer(let n): Double(n)
    case .number(let text): Double(text)
    default: nil
    }
  }

  /// The member with that key; nil where there is none or this is not an object.
  package subscript(key: String) -> JSON? {
    object?.first { $0.key == key }?.value
  }

  /// An object from pairs, without those whose value is nil.
  package static func dictionary(_ members: KeyValuePairs<String, JSON?>) -> JSON {
    .object(members.compactMap { key, value in value.map { Member(key, $0) } })
  }

  /// The object with the key set to `value`, in its old place or else at the end; without the key for nil.
  package func setting(_ key: String, to value: JSON?) -> JSON {
    var members = object ?? []
    let old = members.firstIndex { $0.key.isSame(as: key) }
    if let old { members.remove(at: old) }
    if let value { members.insert(Member(key, value), at: old ?? members.count) }
    return .object(members)
  }

  /// The object with members added at its end.
  package func adding(_ members: [Member]) -> JSON { .object((object ?? []) + members) }

  package init(_ value: Int) { self = value >= 0 ? .integer(UInt64(value)) : .number(String(value)) }

  /// A finite number in the shortest form that reads back the same; `null` for others.
  package init(_ value: Double) {
    if !value.isFinite {
      self = .null
    } else if value == value.rounded(), abs(value) < 9e15 {
      self.init(Int(value))
    } else {
      self = .number("\(value)")
    }
  }
}

/// Why a text is not the expected JSON.
package struct JSONError: Error, Equatable, Sendable {
  package let reason: String
  package init(_ reason: String) { self.reason = reason }
}
