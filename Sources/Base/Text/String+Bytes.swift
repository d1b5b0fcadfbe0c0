extension String {
  /// Swift compares strings by canonical equivalence; names in files are compared by their bytes.
  package func isSame(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }

  /// Ascending order of UTF-8 bytes.
  package func precedes(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }

  /// A key for sets and dictionaries under which strings are the same only if their bytes are.
  package var bytesKey: String {
    utf8.allSatisfy { $0 < 0x80 } ? self : "\u{0}" + utf8.map { String($0, radix: 16) }.joined(separator: ".")
  }
}
