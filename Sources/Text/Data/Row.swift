import PatchFormat

/// One line of a data file, before it is ids.
enum Row: Equatable, Sendable {
  case messages([Message])
  case completion(prompt: [Message.Part], completion: String)
  case text([Message.Part])
  /// Without labels everything is learned.
  case ids([Int], labels: [Int]?, images: [String])

  private static let forms =
    "\"messages\", \"conversations\", \"prompt\" with \"completion\", \"text\", or \"input_ids\""

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
      json["messages"].map { _ in "messages" }, json["conversations"].map { _ in "conversations" },
      hasCompletion ? "prompt/completion" : nil, json["text"].map { _ in "text" },
      json["input_ids"].map { _ in "input_ids" },
    ].compactMap(\.self)
    guard found.count <= 1 else { throw RowError("has several forms at once: \(found.joined(separator: ", "))") }
    switch found.first {
    case "messages", "conversations": self = .messages(try RowContent.conversation(json)!)
    case "prompt/completion":
      guard let completion = json["completion"]?.string else { throw RowError("\"completion\" is not a text") }
      self = .completion(prompt: try RowContent.parts(json, text: "prompt"), completion: completion)
    case "text": self = .text(try RowContent.parts(json, text: "text"))
    case "input_ids":
      self = .ids(
        try json.numbers("input_ids"), labels: json["labels"] == nil ? nil : try json.numbers("labels"),
        images: try RowContent.images(json))
    default:
      if json["prompt"] != nil { throw RowError("has a \"prompt\" and no \"completion\"") }
      if json["completion"] != nil { throw RowError("has a \"completion\" and no \"prompt\"") }
      throw RowError("has none of \(Self.forms)")
    }
  }

  /// The images as the row names them, in order.
  var images: [String] {
    switch self {
    case .messages(let messages): messages.flatMap(\.images)
    case .completion(let parts, _), .text(let parts): parts.images
    case .ids(_, _, let images): images
    }
  }
}

extension JSON {
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
