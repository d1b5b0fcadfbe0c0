// A temporary name is
//
//   .  the final name, at most 200 bytes of it  .vpatch-  10 letters or digits by chance  6 that follow from the rest
//
// The last six are a checksum: a file that somebody called `.notes.vpatch-backup` is never taken for one of ours.

/// The names that files have until they get their own.
package enum TemporaryName {
  private static let mark = Array(".vpatch-".utf8)
  private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
  private static let randomCount = 10
  private static let checkCount = 6

  /// A name that nothing is likely to have.
  package static func random(for name: String) -> String {
    let start = Array(prefix(for: name)) + (0..<randomCount).map { _ in digits.randomElement()! }
    return String(decoding: start + checksum(start), as: UTF8.self)
  }

  /// Up to the random part.
  package static func prefix(for name: String) -> ArraySlice<UInt8> { Array(".\(name.prefixBytes(200))".utf8)[...] + mark }

  /// The same of a temporary name.
  package static func prefix(of temporary: String) -> ArraySlice<UInt8> {
    Array(temporary.utf8).dropLast(randomCount + checkCount)
  }

  /// What the file was to be called, as far as its temporary name says.
  package static func final(of temporary: String) -> String {
    String(decoding: prefix(of: temporary).dropFirst().dropLast(mark.count), as: UTF8.self)
  }

  package static func isOne(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return hasForm(bytes, randomCount + checkCount)
      && checksum(Array(bytes.dropLast(checkCount))).elementsEqual(bytes.suffix(checkCount))
  }

  /// The same, or one that an earlier version made, which had six digits by chance: in a journal (spec/journal.md), and
  /// where nobody has files of their own.
  package static func isOneOfAnyVersion(_ name: String) -> Bool { isOne(name) || hasForm(Array(name.utf8), 6) }

  private static func hasForm(_ bytes: [UInt8], _ count: Int) -> Bool {
    bytes.first == UInt8(ascii: ".") && bytes.count > 1 + mark.count + count
      && bytes.dropLast(count).suffix(mark.count).elementsEqual(mark)
      && bytes.suffix(count).allSatisfy(digits.contains)
  }

  /// The first six bytes of the SHA-256 of what stands before, each as a digit.
  private static func checksum(_ start: [UInt8]) -> [UInt8] {
    SHA256Hasher.hash(start).bytes.prefix(checkCount).map { digits[Int($0) % digits.count] }
  }
}
