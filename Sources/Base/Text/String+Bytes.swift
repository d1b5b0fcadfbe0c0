extension String {
  /// Compares bytes, as names in files are compared. Swift's == uses canonical equivalence.
  package func isSame(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }

  /// Orders by UTF-8 bytes.
  package func precedes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }

  /// A key for sets and dictionaries that is equal only for strings with equal bytes.
  package var bytesKey: String {
    utf8.allSatisfy { $0 < 0x80 } ? self : "\u{0}" + utf8.map { String($0, radix: 16) }.joined(separator: ".")
  }
}
