import Base

/// Why an entry is not a record.
struct InvalidRecord: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

extension ObjectReader where Failure == InvalidRecord {
  /// - Parameter json: a value that is not an object has no members.
  convenience init(record json: JSON) {
    self.init(json.object ?? []) { reason, _, _ in InvalidRecord(reason) }
  }

  /// An integer from `least` to 10¹⁵.
  func count(_ key: String, least: Int = 0) throws(InvalidRecord) -> Int {
    try int(key, in: least...1_000_000_000_000_000)
  }

  func numbers(_ key: String) throws(InvalidRecord) -> [Double] {
    try value(key, "a list of finite numbers") { value in
      guard let numbers = value.array?.map(\.double), numbers.allSatisfy({ $0?.isFinite ?? false }) else { return nil }
      return numbers.map { $0! }
    }
  }

  /// Step numbers in strictly ascending order; at most 10,000, since curves are thinned.
  func steps(_ key: String) throws(InvalidRecord) -> [Int] {
    try value(key, "an ascending list of at most 10,000 steps") { value in
      guard let steps = value.array?.map(\.int), steps.count <= 10_000, !steps.contains(nil) else { return nil }
      let numbers = steps.map { $0! }
      return zip(numbers, numbers.dropFirst()).allSatisfy(<) ? numbers : nil
    }
  }

  /// An object of plain values; empty if missing.
  func plainValues(_ key: String) throws(InvalidRecord) -> [JSON.Member] {
    guard isPresent(key) else { return [] }
    guard let values = try json(key).object, values.allSatisfy(\.value.isPlain) else {
      throw error("has \(key) that are not plain values")
    }
    return values
  }
}

extension JSON {
  var isPlain: Bool { array == nil && object == nil }
}
