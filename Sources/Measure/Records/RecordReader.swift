import Base

/// Why an entry is not a record.
struct InvalidRecord: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// Reads the members of a record from JSON, with type checks.
struct RecordReader {
  /// A value that is not an object has no members.
  let json: JSON

  init(_ json: JSON) { self.json = json }

  func requireObject() throws(InvalidRecord) {
    guard json.object != nil else { throw InvalidRecord("is not an object") }
  }

  /// The member, unless it is missing or null.
  func optional(_ key: String) -> JSON? { json[key].flatMap { $0 == .null ? nil : $0 } }

  func text(_ key: String) throws(InvalidRecord) -> String {
    guard let text = json[key]?.string, !text.isEmpty else { throw InvalidRecord("has no string as \"\(key)\"") }
    return text
  }

  func optionalText(_ key: String) throws(InvalidRecord) -> String? { optional(key) == nil ? nil : try text(key) }

  func number(_ key: String) throws(InvalidRecord) -> Double {
    guard let number = json[key]?.double, number.isFinite else {
      throw InvalidRecord("has no finite number as \"\(key)\"")
    }
    return number
  }

  /// An integer from `least` to 10¹⁵.
  func count(_ key: String, least: Int = 0) throws(InvalidRecord) -> Int {
    guard let count = json[key]?.int, (least...1_000_000_000_000_000).contains(count) else {
      throw InvalidRecord("has no integer from \(least) to 10^15 as \"\(key)\"")
    }
    return count
  }

  /// A list of finite numbers.
  func numbers(_ key: String) throws(InvalidRecord) -> [Double] {
    let numbers = (json[key]?.array ?? []).compactMap(\.double).filter(\.isFinite)
    guard let list = json[key]?.array, list.count == numbers.count else {
      throw InvalidRecord("has no list of finite numbers as \"\(key)\"")
    }
    return numbers
  }

  /// Step numbers in strictly ascending order; at most 10,000, since curves are thinned.
  func steps(_ key: String) throws(InvalidRecord) -> [Int] {
    let steps = (json[key]?.array ?? []).compactMap(\.int)
    guard let list = json[key]?.array, list.count == steps.count, steps.count <= 10_000,
      zip(steps, steps.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw InvalidRecord("has no ascending list of at most 10,000 steps as \"\(key)\"") }
    return steps
  }

  func digest(_ key: String) throws(InvalidRecord) -> ContentDigest? {
    guard let value = optional(key) else { return nil }
    guard let digest = value.string.flatMap(ContentDigest.init(hex:)) else {
      throw InvalidRecord("has no digest as \"\(key)\"")
    }
    return digest
  }

  /// An object of plain values; empty if missing.
  func plainValues(_ key: String) throws(InvalidRecord) -> [JSON.Member] {
    guard let member = json[key] else { return [] }
    guard let values = member.object, values.allSatisfy(\.value.isPlain) else {
      throw InvalidRecord("has \(key) that are not plain values")
    }
    return values
  }

  /// Members with other keys.
  func others(than known: Set<String>) -> [JSON.Member] { (json.object ?? []).filter { !known.contains($0.key) } }
}

extension JSON {
  var isPlain: Bool { array == nil && object == nil }
}
