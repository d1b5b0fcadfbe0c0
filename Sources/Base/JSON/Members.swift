/// Why the text of a header or manifest is not valid.
package struct Malformed: Error {
  package let reason: String
  /// The bytes are not those that were written.
  package let isDamage: Bool

  package init(_ reason: String, isDamage: Bool = false) {
    self.reason = reason
    self.isDamage = isDamage
  }
}

/// The members of an object. Each must be taken once, and none may be left over.
package struct Members {
  /// Description of the object, for messages.
  package var owner: String
  private var rest: [String: JSON]

  package init(_ json: JSON, of owner: String) throws {
    guard let object = json.object else { throw Malformed("has \(owner) that is not an object") }
    self.owner = owner
    rest = Dictionary(object.map { ($0.key, $0.value) }) { a, _ in a }
    guard rest.count == object.count else { throw Malformed("has an unknown member in \(owner)") }
  }

  package func has(_ key: String) -> Bool { rest[key] != nil }

  package mutating func value(_ key: String) throws -> JSON {
    guard let value = rest.removeValue(forKey: key) else { throw Malformed("lacks \"\(key)\" in \(owner)") }
    return value
  }

  package mutating func string(_ key: String) throws -> String {
    guard let string = try value(key).string else { throw Malformed("has no text as \"\(key)\" in \(owner)") }
    return string
  }

  package mutating func int(_ key: String) throws -> Int {
    guard let n = try value(key).int, n <= Limits.number else {
      throw Malformed("has no number within its limit as \"\(key)\" in \(owner)")
    }
    return n
  }

  package mutating func array(_ key: String) throws -> [JSON] {
    guard let array = try value(key).array else { throw Malformed("has no list as \"\(key)\" in \(owner)") }
    return array
  }

  package mutating func digest(_ key: String) throws -> ContentDigest {
    guard let digest = ContentDigest(hex: try string(key)) else { throw Malformed("has no digest as \"\(key)\" in \(owner)") }
    return digest
  }

  package func finish() throws {
    if let key = rest.keys.min() { throw Malformed("has an unknown member \"\(key.printable)\" in \(owner)") }
  }
}
