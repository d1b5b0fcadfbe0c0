import PatchFormat

/// One line of a data file, before it is ids.
enum Row: Equatable, Sendable {
  case messages([Message])
  case completion(prompt: String, completion: String)
  case text(String)
  /// Without labels everything is learned.
  case ids([Int], labels: [Int]?)

  private static let forms = "\"messages\", \"prompt\" with \"completion\", \"text\", or \"input_ids\""

  /// - Throws: `RowError`.
  init(_ line: [UInt8]) throws {
    let json: JSON
    do {
      json = try JSON.parse(line)
    } catch let error as JSONError {
      throw RowError("is not JSON (\(error.reason))")
    }
    guard json.object != nil else { throw RowError("is not an object") }
    // A row may hold more than is used here, but must say in one way what is to be learned.
    let hasCompletion = json["prompt"] != nil && json["completion"] != nil
    let found = [
      json["messages"].map { _ in "messages" }, hasCompletion ? "prompt/completion" : nil,
      json["text"].map { _ in "text" }, json["input_ids"].map { _ in "input_ids" },
    ].compactMap(\.self)
    guard found.count <= 1 else { throw RowError("has several forms at once: \(found.joined(separator: ", "))") }
    switch found.first {
    case "messages": self = .messages(try Self.messages(json["messages"]!))
    case "prompt/completion":
      self = .completion(prompt: try json.text("prompt"), completion: try json.text("completion"))
    case "text": self = .text(try json.text("text"))
    case "input_ids":
      self = .ids(try json.numbers("input_ids"), labels: json["labels"] == nil ? nil : try json.numbers("labels"))
    default:
      if json["prompt"] != nil { throw RowError("has a \"prompt\" and no \"completion\"") }
      if json["completion"] != nil { throw RowError("has a \"completion\" and no \"prompt\"") }
      throw RowError("has none of \(Self.forms)")
    }
  }

  private static func messages(_ json: JSON) throws -> [Message] {
    guard let list = json.array else { throw RowError("\"messages\" is not a list") }
    guard !list.isEmpty else { throw RowError("\"messages\" is empty") }
    return try list.enumerated().map { i, json in
      guard json.object != nil else { throw RowError("message \(i + 1) is not an object") }
      guard let name = json["role"]?.string, let content = json["content"]?.string else {
        throw RowError("message \(i + 1) has no \"role\" and \"content\" that are texts")
      }
      guard let role = Message.Role(rawValue: name) else {
        throw RowError("message \(i + 1) has the role \"\(name)\" (known: system, user, assistant)")
      }
      if let calls = json["tool_calls"], calls != .null, calls != .array([]) {
        throw RowError("message \(i + 1) calls tools, which is not supported")
      }
      return Message(role, content)
    }
  }
}

extension JSON {
  fileprivate func text(_ key: String) throws -> String {
    guard let text = self[key]?.string else { throw RowError("\"\(key)\" is not a text") }
    return text
  }

  fileprivate func numbers(_ key: String) throws -> [Int] {
    guard let list = self[key]?.array else { throw RowError("\"\(key)\" is not a list") }
    return try list.enumerated().map { i, json in
      if let value = json.int { return value }
      // Negative ones.
      if case .number(let text) = json, let value = Int(text) { return value }
      throw RowError("\"\(key)\"[\(i)] is not a whole number")
    }
  }
}

/// Why a row cannot be used.
struct RowError: Error, Equatable, Sendable {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}
