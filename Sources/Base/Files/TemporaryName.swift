// A temporary name is
//
//   .  the final name, at most 200 bytes of it  .vpatch-  10 random letters or digits  6 digits of checksum
//
// Because of the checksum, a user's file such as `.notes.vpatch-backup` is never taken for a temporary file.

/// Names of files before they get their final names.
package enum TemporaryName {
  private static let mark = Array(".vpatch-".utf8)
  private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let randomCount = 10
  private static let checkCount = 6

  /// A random name, unlikely to be taken.
  package static func random(for name: String) -> String {
    let start = Array(prefix(for: name)) + (0..<randomCount).map { _ in digits.randomElement()! }
    return String(decoding: start + checksum(start), as: UTF8.self)
  }

  /// The part before the random digits.
  package static func prefix(for name: String) -> ArraySlice<UInt8> {
    Array(".\(name.prefixBytes(200))".utf8)[...] + mark
  }

  /// The same part of a given temporary name.
  package static func prefix(of temporary: String) -> ArraySlice<UInt8> {
    Array(temporary.utf8).dropLast(randomCount + checkCount)
  }

  /// The final name, as far as the temporary name contains it.
  package static func final(of temporary: String) -> String {
    String(decoding: prefix(of: temporary).dropFirst().dropLast(mark.count), as: UTF8.self)
  }

  package static func isOne(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return hasForm(bytes, randomCount + checkCount)
      && checksum(Array(bytes.dropLast(checkCount))).elementsEqual(bytes.suffix(checkCount))
  }

  /// Also true for names of an earlier version, which had six random digits. For journals (spec/journal.md) and folders
  /// that contain no files of users.
  package static func isOneOfAnyVersion(_ name: String) -> Bool { isOne(name) || hasForm(Array(name.utf8), 6) }

  private static func hasForm(_ bytes: [UInt8], _ count: Int) -> Bool {
    bytes.first == UInt8(ascii: ".") && bytes.count > 1 + mark.count + count
      && bytes.dropLast(count).suffix(mark.count).elementsEqual(mark)
      && bytes.suffix(count).allSatisfy(digits.contains)
  }

  /// The first six bytes of the SHA-256 of the preceding part, each as a digit.
  private static func checksum(_ start: [UInt8]) -> [UInt8] {
    SHA256Hasher.hash(start).bytes.prefix(checkCount).map { digits[Int($0) % digits.count] }
  }
}
