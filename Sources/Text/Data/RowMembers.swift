import Base

/// The members of an object in a data file. Each is read, or reported as unused.
struct RowMembers {
  private let all: [JSON.Member]
  private var read: Set<String> = []
  /// Place for messages: "message 3", or nil for the row itself.
  let place: String?

  init(_ all: [JSON.Member], place: String? = nil) {
    self.all = all
    self.place = place
  }

  /// The member with that key; nil if it is missing or null.
  mutating func take(_ key: String) -> JSON? {
    read.insert(key.bytesKey)
    return all.first { $0.key.isSame(as: key) }.flatMap { $0.value == .null ? nil : $0.value }
  }

  /// Whether there is such a member that is not null.
  func has(_ key: String) -> Bool { all.contains { $0.key.isSame(as: key) && $0.value != .null } }

  /// Members with a value that were not read.
  var unread: [String] { all.filter { !read.contains($0.key.bytesKey) && $0.value != .null }.map(\.key) }

  func error(_ reason: String) -> RowError { RowError(place.map { "\($0) \(reason)" } ?? reason) }

  mutating func text(_ key: String) throws -> String? {
    guard let value = take(key) else { return nil }
    guard let text = value.string else { throw error("has a \"\(key)\" that is not a string") }
    return text
  }

  mutating func list(_ key: String) throws -> [JSON]? {
    guard let value = take(key) else { return nil }
    guard let list = value.array else { throw error("has a \"\(key)\" that is not a list") }
    return list
  }

  mutating func numbers(_ key: String) throws -> [Int]? {
    try list(key)?.enumerated().map { i, json in
      // Including negative numbers.
      if let value = json.int { return value }
      if case .number(let text) = json, let value = Int(text) { return value }
      throw error("has a \"\(key)\" whose element \(i) is not an integer")
    }
  }

  /// A list of zeros and ones with `count` elements.
  mutating func mask(_ key: String, count: Int) throws -> [Bool]? {
    guard let values = try list(key) else { return nil }
    guard values.count == count else {
      throw error("has \(Format.counted(count, "id")) and a \"\(key)\" of \(Format.grouped(values.count))")
    }
    return try values.map { value in
      guard let flag = value.flag else { throw error("has a \"\(key)\" that has other values than 0 and 1") }
      return flag
    }
  }

  /// Marks whether something counts in the loss, under the names in data sets: OpenAI's "weight", axolotl's "train" and
  /// "training", ms-swift's "loss".
  static let learning = ["weight", "train", "training", "loss"]

  /// - Returns: nil if there is no such member.
  mutating func isLearned() throws -> (key: String, value: Bool)? {
    var found: (key: String, value: Bool)?
    for key in Self.learning {
      guard let value = take(key) else { continue }
      guard let flag = value.flag else {
        throw error("has a \"\(key)\" that is neither 0 nor 1: weights in between are not supported")
      }
      if let found, found.value != flag {
        throw error("has \"\(found.key)\" and \"\(key)\", which contradict each other")
      }
      found = (key, flag)
    }
    return found
  }

  /// - Throws: `RowError` if one of these has a value, since it is not supported.
  mutating func refuse(_ keys: [String], _ reason: String) throws {
    for key in keys {
      guard let value = take(key), !value.isEmpty else { continue }
      throw error("has \"\(key)\", \(reason)")
    }
  }
}

extension JSON {
  /// 0 and 1, 0.0 and 1.0, false and true.
  fileprivate var flag: Bool? {
    if let bool { return bool }
    return switch double {
    case 0: false
    case 1: true
    default: nil
    }
  }

  /// An empty string, list or object.
  var isEmpty: Bool {
    switch self {
    case .string(let text): text.isEmpty
    case .array(let list): list.isEmpty
    case .object(let members): members.isEmpty
    case .bool(let value): !value
    default: false
    }
  }
}
