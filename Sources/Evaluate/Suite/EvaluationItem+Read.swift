import PatchFormat
import Text

extension EvaluationItem {
  /// What a kind of task reads of its data.
  struct Needs {
    /// Documents, from rows with `text` or from a text file.
    var texts = false
    /// Rows with `prompt` or `messages`.
    var prompts = false
    var answer = false
    var choices = false
  }

  /// More than any row has.
  private static let maximumLine = 64 << 20
  private static let maximumText = 1 << 30

  /// Reads a file of JSON Lines (its name ends with `.jsonl`), or of text: documents with a line `%` between them.
  /// - Parameter limit: how many to read at most.
  /// - Throws: `invalid` with the line of a row that is none.
  static func read(_ path: String, _ needs: Needs, limit: Int?) throws -> [EvaluationItem] {
    var items: [EvaluationItem] = []
    if path.hasSuffix(".jsonl") {
      try InputFile(path: path).forEachLine(limit: maximumLine) { number, line in
        guard items.count < limit ?? .max, !line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) else { return }
        do { items.append(try EvaluationItem(JSON.parse(line), needs)) } catch let error as JSONError {
          throw VPatchError(.invalid, path, "line \(number): is not valid JSON: \(error.reason)")
        } catch let error as InvalidRow {
          throw VPatchError(.invalid, path, "line \(number): \(error.reason)")
        }
      }
    } else {
      guard needs.texts else {
        throw VPatchError(.invalid, path, "is read as text, and the task needs rows", remedy: "give a .jsonl file")
      }
      items = try documents(path).prefix(limit ?? .max).map { EvaluationItem(.text($0)) }
    }
    guard !items.isEmpty else { throw VPatchError(.invalid, path, "holds no items") }
    return items
  }

  private static func documents(_ path: String) throws -> [String] {
    let bytes = try InputFile.contents(of: path, limit: maximumText)
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw VPatchError(.invalid, path, "is not text in UTF-8")
    }
    // By bytes: a carriage return and a line feed are one character.
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return lines.split { $0.elementsEqual("%".utf8) || $0.elementsEqual("%\r".utf8) }
      .map { String(decoding: Array($0.joined(separator: [UInt8(ascii: "\n")])), as: UTF8.self) }
      .filter { !$0.allSatisfy(\.isWhitespace) }
  }

  private struct InvalidRow: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// A row of JSON Lines. Members that the kind does not need are not looked at.
  private init(_ row: JSON, _ needs: Needs) throws {
    guard row.object != nil else { throw InvalidRow("is no JSON object") }
    var answers = try Self.answers(row)
    if needs.texts, let text = row["text"] {
      guard let text = text.string, !text.isEmpty else { throw InvalidRow("has a \"text\" that is none, or empty") }
      self.init(.text(text))
      return
    }
    guard needs.prompts else { throw InvalidRow("has no \"text\"") }
    if let prompt = row["prompt"] {
      guard let prompt = prompt.string, !prompt.isEmpty else {
        throw InvalidRow("has a \"prompt\" that is no text, or empty")
      }
      self.init(.prompt(prompt))
    } else if let list = row["messages"] {
      var messages = try Self.messages(list)
      // A row to train with ends with its answer.
      if messages.last?.role == .assistant {
        let last = messages.removeLast()
        if answers.isEmpty { answers = [last.content] }
      }
      guard messages.last?.role == .user else { throw InvalidRow("has messages without one of the user at their end") }
      self.init(.messages(messages))
    } else {
      throw InvalidRow("has neither \"prompt\" nor \"messages\"\(needs.texts ? " nor \"text\"" : "")")
    }
    if needs.choices {
      (choices, correct) = try Self.choices(row)
    } else {
      guard !needs.answer || answers.contains(where: { !$0.allSatisfy(\.isWhitespace) }) else {
        throw InvalidRow("has no \"answer\"")
      }
      self.answers = needs.answer ? answers : []
    }
  }

  private static func messages(_ list: JSON) throws -> [Message] {
    guard let entries = list.array else { throw InvalidRow("has \"messages\" that are no list") }
    return try entries.map { entry in
      guard let role = entry["role"]?.string.flatMap(Message.Role.init(rawValue:)), let text = entry["content"]?.string
      else { throw InvalidRow("has a message that is no role (system, user, assistant) with a text") }
      return Message(role, text)
    }
  }

  /// `answer` or `completion`: a text, a number, or a list of texts.
  private static func answers(_ row: JSON) throws -> [String] {
    guard let value = row["answer"] ?? row["completion"] else { return [] }
    if let text = value.string { return [text] }
    if let list = value.array, !list.isEmpty, list.allSatisfy({ $0.string != nil }) { return list.map { $0.string! } }
    if value.int != nil || value.double != nil { return [value.compact()] }
    throw InvalidRow("has an \"answer\" that is no text, number, or list of texts")
  }

  /// `choices`, and as `answer` the number of the right one from 0 on, or its text.
  private static func choices(_ row: JSON) throws -> (choices: [String], correct: [Int]) {
    guard let choices = row["choices"]?.array?.map(\.string), choices.count >= 2,
      choices.allSatisfy({ !($0 ?? "").isEmpty })
    else { throw InvalidRow("has no \"choices\": a list of at least two texts that are not empty") }
    let texts = choices.map { $0! }
    let answer = row["answer"]
    let given = answer?.array ?? answer.map { [$0] } ?? []
    let correct = try given.map { answer in
      if let index = answer.int {
        guard texts.indices.contains(index) else {
          throw InvalidRow("has the answer \(index), and \(texts.count) choices, the first being 0")
        }
        return index
      }
      guard let index = texts.firstIndex(where: { $0.isSame(as: answer.string ?? "") }) else {
        throw InvalidRow("has an answer that is none of its choices")
      }
      return index
    }
    guard !correct.isEmpty else { throw InvalidRow("has no \"answer\"") }
    return (texts, Set(correct).sorted())
  }
}
