import Base
import Text

extension EvaluationItem {
  /// The data that a kind of task needs.
  package struct Needs: Sendable {
    /// Documents, from rows with `text` or from a text file.
    var texts = false
    /// Rows with `prompt` or `messages`.
    var prompts = false
    var answer = false
    var choices = false
    /// The answer is a time.
    var time = false
    /// Choices are shown by letter, followed by this text; the letter is the answer.
    var letters: String?

    /// The same of an item that is shown with its answer.
    var withAnswer: Self {
      var needs = self
      needs.texts = false
      needs.answer = !choices && !time
      return needs
    }
  }

  /// Upper limit for the length of a row, in bytes.
  private static let maximumLine = 64 << 20
  private static let maximumText = 1 << 30

  /// Reads a JSON Lines file (its name ends with `.jsonl`), or a text file: documents separated by lines `%`.
  /// - Parameters:
  ///   - limit: maximum number of items.
  ///   - allowsOutside: whether images may be outside the file's folder.
  /// - Throws: `invalid` with the line of a malformed row.
  static func read(
    _ path: String, _ needs: Needs, limit: Int?, allowsOutside: Bool = false
  ) throws -> [EvaluationItem] {
    var items: [EvaluationItem] = []
    var images = ItemImages(folder: ImageFolder(of: path, allowsOutside: allowsOutside))
    if path.hasSuffix(".jsonl") {
      try InputFile(path: path).forEachLine(limit: maximumLine) { number, line in
        guard items.count < limit ?? .max, !line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) else { return }
        do {
          items.append(try images.found(EvaluationItem(JSON.parse(line), needs)))
        } catch let error as JSONError {
          throw VPatchError(.invalid, path, "line \(number): is not valid JSON: \(error.reason)")
        } catch let error as InvalidRow {
          throw VPatchError(.invalid, path, "line \(number): \(error.reason)")
        } catch let error as RowError {
          throw VPatchError(.invalid, path, "line \(number): \(error.reason)")
        }
      }
    } else {
      guard needs.texts else {
        throw VPatchError(.invalid, path, "is a text file, but the task needs rows", remedy: "give a .jsonl file")
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
    // Split by bytes: Swift sees carriage return and line feed as one character.
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return lines.split { $0.elementsEqual("%".utf8) || $0.elementsEqual("%\r".utf8) }
      .map { String(decoding: Array($0.joined(separator: [UInt8(ascii: "\n")])), as: UTF8.self) }
      .filter { !$0.allSatisfy(\.isWhitespace) }
  }

  private struct InvalidRow: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// Reads a row of JSON Lines. Members that the kind of task does not need are ignored.
  private init(_ row: JSON, _ needs: Needs) throws {
    guard row.object != nil else { throw InvalidRow("is not a JSON object") }
    var answers = needs.choices ? [] : try Self.answers(row)
    if needs.texts, let text = row["text"] {
      guard let text = text.string, !text.isEmpty else { throw InvalidRow("has a \"text\" that is empty or no string") }
      guard try RowContent.images(row).isEmpty else {
        throw InvalidRow("has an image with a \"text\"; images need \"prompt\", \"messages\" or \"conversations\"")
      }
      self.init(.text(text))
      return
    }
    guard needs.prompts else { throw InvalidRow("has no \"text\"") }
    if let prompt = row["prompt"] {
      guard let prompt = prompt.string, !prompt.isEmpty else {
        throw InvalidRow("has a \"prompt\" that is not a string, or empty")
      }
      self.init(.question(try RowContent.parts(row, text: "prompt")))
    } else if var messages = try RowContent.conversation(row) {
      // A training row ends with its answer.
      if messages.last?.role == .assistant {
        let last = messages.removeLast()
        if answers.isEmpty { answers = [last.content] }
      }
      guard messages.last?.role == .user else { throw InvalidRow("has messages that do not end with one of the user") }
      self.init(.messages(messages))
    } else {
      throw InvalidRow(
        "has neither \"prompt\" nor \"messages\" nor \"conversations\"\(needs.texts ? " nor \"text\"" : "")")
    }
    if needs.choices {
      (choices, correct) = try Self.choices(row)
      if let instruction = needs.letters {
        guard choices.count <= Self.letters.count else {
          throw InvalidRow("has \(choices.count) choices; the maximum is \(Self.letters.count), one for each letter")
        }
        self = byLetter(instruction)
      }
    } else if needs.time {
      guard !answers.isEmpty, answers.allSatisfy({ ClockTime(whole: $0) != nil }) else {
        throw InvalidRow("has no \"answer\" that is a time, such as \"3:05\"")
      }
      self.answers = answers
    } else {
      guard !needs.answer || answers.contains(where: { !$0.allSatisfy(\.isWhitespace) }) else {
        throw InvalidRow("has no \"answer\"")
      }
      self.answers = needs.answer ? answers : []
    }
  }

  /// `answer` or `completion`: a string, a number, or a list of strings.
  private static func answers(_ row: JSON) throws -> [String] {
    guard let value = row["answer"] ?? row["completion"] else { return [] }
    if let text = value.string { return [text] }
    if let list = value.array, !list.isEmpty, list.allSatisfy({ $0.string != nil }) { return list.map { $0.string! } }
    if value.int != nil || value.double != nil { return [value.compact()] }
    throw InvalidRow("has an \"answer\" that is not a string, number, or list of strings")
  }

  /// `choices`, and as `answer` the index of the right one from 0, or its text.
  private static func choices(_ row: JSON) throws -> (choices: [String], correct: [Int]) {
    guard let choices = row["choices"]?.array?.map(\.string), choices.count >= 2,
      choices.allSatisfy({ !($0 ?? "").isEmpty })
    else { throw InvalidRow("has no \"choices\": a list of at least two strings that are not empty") }
    let texts = choices.map { $0! }
    let answer = row["answer"]
    let given = answer?.array ?? answer.map { [$0] } ?? []
    let correct = try given.map { answer in
      if let index = answer.int {
        guard texts.indices.contains(index) else {
          throw InvalidRow("has the answer \(index), which is no index of its \(texts.count) choices, from 0")
        }
        return index
      }
      guard let index = texts.firstIndex(where: { $0.isSame(as: answer.string ?? "") }) else {
        throw InvalidRow("has an answer that is not one of its choices")
      }
      return index
    }
    guard !correct.isEmpty else { throw InvalidRow("has no \"answer\"") }
    return (texts, Set(correct).sorted())
  }
}

/// The images of a data file's items.
private struct ItemImages {
  let folder: ImageFolder
  /// By the names used in rows.
  private var known: [String: (path: String, digest: ContentDigest)] = [:]

  init(folder: ImageFolder) { self.folder = folder }

  /// The item with resolved image paths.
  /// - Throws: `RowError` for an image that cannot be read.
  mutating func found(_ item: EvaluationItem) throws -> EvaluationItem {
    guard !item.content.parts.images.isEmpty else { return item }
    var item = item
    item.content = try item.content.mapParts { part in
      guard case .image(let name) = part else { return part }
      let image = try look(at: name)
      item.images[image.path] = image.digest
      return .image(path: image.path)
    }
    return item
  }

  private mutating func look(at name: String) throws -> (path: String, digest: ContentDigest) {
    if let image = known[name] { return image }
    let path = try folder.path(of: name)
    let image = (path, try InputFile(path: path).digest())
    known[name] = image
    return image
  }
}

extension EvaluationItem.Content {
  fileprivate func mapParts(_ transform: (Message.Part) throws -> Message.Part) rethrows -> Self {
    switch self {
    case .text: self
    case .question(let parts): .question(try parts.map(transform))
    case .messages(let messages): .messages(try messages.map { try $0.with($0.parts.map(transform)) })
    }
  }
}
