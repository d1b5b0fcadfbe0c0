import Base

/// Splits a JSON array into its elements, as text; the caller parses them.
struct ArraySplitter {
  let limit: Int
  let path: String
  private var element: [UInt8] = []
  private var number = 1
  /// Number of open brackets and braces.
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
          throw error("has text after its array: rows are the elements of one array, or one object per line")
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
            guard byte == UInt8(ascii: "]") else { throw error("is a JSON array closed by a brace") }
            // An empty array has no elements.
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
    guard isAtEnd else { throw error("is a JSON array without an end: it is cut short") }
  }

  private func error(_ reason: String) -> VPatchError { VPatchError(.invalid, path, reason) }
}
