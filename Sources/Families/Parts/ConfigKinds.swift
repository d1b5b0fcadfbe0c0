import Base

/// The JSON types that a member may have.
package struct ConfigKinds: OptionSet, Sendable {
  package let rawValue: Int

  package init(rawValue: Int) { self.rawValue = rawValue }

  package static let integer = Self(rawValue: 1)
  /// With or without a fraction.
  package static let number = Self(rawValue: 2)
  package static let flag = Self(rawValue: 4)
  package static let null = Self(rawValue: 8)
  package static let list = Self(rawValue: 16)

  package func holds(_ value: JSON) -> Bool {
    switch value {
    case .integer: contains(.integer) || contains(.number)
    // Negative whole numbers are parsed as `number`, too.
    case .number(let text): contains(.number) || contains(.integer) && Int(text) != nil
    case .bool: contains(.flag)
    case .null: contains(.null)
    // A list of whole numbers: sizes, layers, ids.
    case .array(let values): contains(.list) && values.allSatisfy { Self([.integer]).holds($0) }
    case .string, .object: false
    }
  }

  /// "a whole number, or null", for messages.
  package var text: String {
    let all: [(Self, String)] = [
      (.integer, "a whole number"), (.number, "a number"), (.flag, "true or false"),
      (.list, "a list of whole numbers"), (.null, "null"),
    ]
    return all.filter { contains($0.0) }.map(\.1).joined(separator: ", or ")
  }
}
