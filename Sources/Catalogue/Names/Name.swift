import Base

/// Names of aliases, tags and stacks.
package enum Name {
  package static let rule = "1 to 100 letters, digits and . _ - /, a letter first"

  /// Excludes `@`, which separates a member from its scale, and everything that looks like an identity.
  package static func isValid(_ text: String) -> Bool {
    let bytes = text.utf8
    guard (1...100).contains(bytes.count), bytes.first!.isLetter, ContentDigest(hex: text) == nil else { return false }
    return bytes.allSatisfy {
      $0.isLetter || (UInt8(ascii: "-")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "_")
    }
  }

  /// - Throws: `refused`, with the rule.
  package static func check(_ text: String, _ what: String) throws {
    guard isValid(text) else {
      throw VPatchError(
        .refused, nil, "\"\(text)\" cannot be \(what.startsWithVowel ? "an" : "a") \(what)", remedy: rule)
    }
  }
}

extension UInt8 {
  fileprivate var isLetter: Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
  }
}

extension String {
  fileprivate var startsWithVowel: Bool { utf8.first.map { "aeiou".utf8.contains($0) } ?? false }
}
