import Base

/// Reads an object in a data file: a row, a message or a part. Members that were not read are reported as unused.
typealias RowReader = ObjectReader<RowError>

extension ObjectReader where Failure == RowError {
  /// - Parameter place: for messages: "message 3", or nil for the row itself.
  convenience init(row members: [JSON.Member], place: String? = nil) {
    self.init(members) { reason, _, _ in RowError(place.map { "\($0) \(reason)" } ?? reason) }
  }

  /// Keys of members with a value that were not read.
  var unused: [String] { unread.filter { $0.value != .null }.map(\.key) }

  func integers(_ key: String) throws(RowError) -> [Int]? {
    guard let list = try optionalList(key) else { return nil }
    var numbers: [Int] = []
    for (i, json) in list.enumerated() {
      // Including negative numbers.
      if let value = json.int {
        numbers.append(value)
      } else if case .number(let text) = json, let value = Int(text) {
        numbers.append(value)
      } else {
        throw error("has a \"\(key)\" whose element \(i) is not an integer")
      }
    }
    return numbers
  }

  /// A list of zeros and ones with `count` elements.
  func mask(_ key: String, count: Int) throws(RowError) -> [Bool]? {
    guard let values = try optionalList(key) else { return nil }
    guard values.count == count else {
      throw error("has \(Format.counted(count, "id")) and a \"\(key)\" of \(Format.grouped(values.count))")
    }
    let flags = values.compactMap(\.flag)
    guard flags.count == count else { throw error("has a \"\(key)\" that has other values than 0 and 1") }
    return flags
  }

  /// - Returns: nil if there is no such member.
  func isLearned() throws(RowError) -> (key: String, value: Bool)? {
    var found: (key: String, value: Bool)?
    for key in LossMark.keys {
      guard let value = optional(key) else { continue }
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
  func refuse(_ keys: [String], _ reason: String) throws(RowError) {
    for key in keys {
      guard let value = optional(key), !value.isEmpty else { continue }
      throw error("has \"\(key)\", \(reason)")
    }
  }
}

/// Marks whether something counts in the loss, under the names in data sets: OpenAI's "weight", axolotl's "train" and
/// "training", ms-swift's "loss".
enum LossMark {
  static let keys = ["weight", "train", "training", "loss"]
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

  /// An empty string, list or object, or false.
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
