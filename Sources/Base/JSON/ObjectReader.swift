/// Reads the members of an object, each by its key and type, and knows which keys were read.
///
/// Headers, journals, records, rows, suites and configs are all read with it. Each kind of file adds its own types in
/// an extension, and decides in `failure` which error is thrown.
package final class ObjectReader<Failure: Error> {
  /// Makes an error from a reason such as `has no "name"`, the key it is about, and a remedy.
  package typealias MakeFailure = (_ reason: String, _ key: String?, _ remedy: String?) -> Failure

  /// In the order of the text.
  package let members: [JSON.Member]
  /// Keys that were read, each once, in that order.
  package private(set) var keysRead: [String] = []
  private let failure: MakeFailure

  package init(_ members: [JSON.Member], failure: @escaping MakeFailure) {
    self.members = members
    self.failure = failure
  }

  package func error(_ reason: String, key: String? = nil, remedy: String? = nil) -> Failure {
    failure(reason, key, remedy)
  }

  /// - Parameter expected: such as "a string".
  package func wrong(_ key: String, _ expected: String) -> Failure {
    error("has a \"\(key)\" that is not \(expected)", key: key)
  }

  // MARK: Members

  /// The member, even if it is null; does not count as reading.
  private func peek(_ key: String) -> JSON? { members.first { $0.key.isSame(as: key) }?.value }

  /// Whether there is such a member, even if it is null.
  package func isPresent(_ key: String) -> Bool { peek(key) != nil }

  /// Whether there is such a member that is not null.
  package func has(_ key: String) -> Bool { peek(key).map { $0 != .null } ?? false }

  /// The member, even if it is null; counts as reading.
  private func read(_ key: String) -> JSON? {
    if !keysRead.contains(key) { keysRead.append(key) }
    return peek(key)
  }

  /// The member; nil if it is missing or null.
  package func optional(_ key: String) -> JSON? { read(key).flatMap { $0 == .null ? nil : $0 } }

  /// Members that were not read, in the order of the text.
  package var unread: [JSON.Member] {
    members.filter { member in !keysRead.contains { $0.isSame(as: member.key) } }
  }

  // MARK: Values

  /// - Throws: if the member is missing, or `convert` returns nil.
  package func value<T>(_ key: String, _ expected: String, _ convert: (JSON) -> T?) throws(Failure) -> T {
    guard let json = read(key) else { throw error("has no \"\(key)\"", key: key) }
    guard let value = convert(json) else { throw wrong(key, expected) }
    return value
  }

  /// Nil if the member is missing or null.
  /// - Throws: if `convert` returns nil.
  package func optional<T>(_ key: String, _ expected: String, _ convert: (JSON) -> T?) throws(Failure) -> T? {
    guard let json = optional(key) else { return nil }
    guard let value = convert(json) else { throw wrong(key, expected) }
    return value
  }

  package func json(_ key: String) throws(Failure) -> JSON { try value(key, "a value") { $0 } }

  package func string(_ key: String) throws(Failure) -> String { try value(key, "a string", \.string) }

  package func optionalString(_ key: String) throws(Failure) -> String? { try optional(key, "a string", \.string) }

  /// A string that is not empty.
  package func text(_ key: String) throws(Failure) -> String {
    let text = try string(key)
    guard !text.isEmpty else { throw error("has an empty \"\(key)\"", key: key) }
    return text
  }

  package func optionalText(_ key: String) throws(Failure) -> String? { optional(key) == nil ? nil : try text(key) }

  package func int(_ key: String, in range: ClosedRange<Int>) throws(Failure) -> Int {
    try value(key, Self.integer(range)) { $0.int.flatMap { range.contains($0) ? $0 : nil } }
  }

  package func optionalInt(_ key: String, in range: ClosedRange<Int>) throws(Failure) -> Int? {
    optional(key) == nil ? nil : try int(key, in: range)
  }

  private static func integer(_ range: ClosedRange<Int>) -> String {
    "an integer from \(Format.grouped(range.lowerBound)) to \(Format.grouped(range.upperBound))"
  }

  package func number(_ key: String) throws(Failure) -> Double {
    try value(key, "a finite number") { $0.double.flatMap { $0.isFinite ? $0 : nil } }
  }

  package func optionalBool(_ key: String) throws(Failure) -> Bool? { try optional(key, "true or false", \.bool) }

  package func list(_ key: String) throws(Failure) -> [JSON] { try value(key, "a list", \.array) }

  package func optionalList(_ key: String) throws(Failure) -> [JSON]? { try optional(key, "a list", \.array) }

  package func digest(_ key: String) throws(Failure) -> ContentDigest {
    try value(key, "a SHA-256 digest") { $0.string.flatMap(ContentDigest.init(hex:)) }
  }

  package func optionalDigest(_ key: String) throws(Failure) -> ContentDigest? {
    optional(key) == nil ? nil : try digest(key)
  }
}
