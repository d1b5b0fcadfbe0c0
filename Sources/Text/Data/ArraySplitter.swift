import Base

/// The elements of a JSON array, as text; whether each is JSON is for who reads it to say.
struct ArraySplitter {
  let limit: Int
  let path: String
  private var element: [UInt8] = []
  private var number = 1
  /// How many brackets and braces are open.
  private var depth = 0
  private var (isInString, isEscaped, isAtEnd) = (false, false, false)

  init(limit: Int, path: String) {
    self.limit = limit
    self.path = path
  }

  mutating func add(_ piece: [UInt8], _ body: (Int, [UInt8]) throws -> Void) throws {
    for byte in piece {
      if isAtEnd {
        guard byte.isJSONSpace else {
          throw error("has something behind its array: rows are the elements of one array, or objects, one a line")
        }
        continue
      }
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "["), UInt8(ascii: "{"):
          depth += 1
          if depth == 1 { continue }
        case UInt8(ascii: "]"), UInt8(ascii: "}"):
          depth -= 1
          if depth == 0 {
            guard byte == UInt8(ascii: "]") else { throw error("is a JSON array that a brace closes") }
            // An array without elements has none to give.
            if number > 1 || !element.allSatisfy(\.isJSONSpace) { try give(body) }
            isAtEnd = true
            continue
          }
        case UInt8(ascii: ",") where depth == 1:
          try give(body)
          continue
        default: break
        }
      }
      guard depth > 0 else { continue }
      guard element.count < limit else { throw error("has more than \(limit) bytes in row \(number)") }
      element.append(byte)
    }
  }

  private mutating func give(_ body: (Int, [UInt8]) throws -> Void) throws {
    try body(number, element)
    element.removeAll(keepingCapacity: true)
    number += 1
  }

  func end() throws {
    guard isAtEnd else { throw error("is a JSON array that does not end: it is cut short") }
  }

  private func error(_ reason: String) -> VPatchError { VPatchError(.invalid, path, reason) }
}
