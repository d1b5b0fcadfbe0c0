import Base

/// A Python string: a sequence of code points, by which it is compared and split.
///
/// Swift's `String` compares by canonical equivalence and counts grapheme clusters, which would be wrong for templates.
/// The bytes are valid UTF-8, whose order is the order of the code points.
package struct PythonText: Hashable, Sendable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
  var bytes: [UInt8]
  /// Whether it is markupsafe's `Markup`, as made by `safe` and `escape`: a string that escapes whatever is added to
  /// it. Operations that would do so, or that would return a `Markup`, are refused (`Machine.requirePlain`).
  private(set) var isSafe = false

  init(bytes: [UInt8]) { self.bytes = bytes }
  init(bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }
  package init(_ string: String) { bytes = Array(string.utf8) }
  package init(stringLiteral string: String) { self.init(string) }
  init(_ scalars: some Sequence<Unicode.Scalar>) {
    bytes = []
    for scalar in scalars { append(scalar) }
  }
  init(_ scalar: Unicode.Scalar) {
    bytes = []
    append(scalar)
  }

  /// The same string as `Markup`.
  var safe: PythonText {
    var text = self
    text.isSafe = true
    return text
  }

  // In Python a `Markup` equals the plain string.
  package static func == (a: PythonText, b: PythonText) -> Bool { a.bytes == b.bytes }
  // An array would hash each of its bytes separately.
  package func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

  package var description: String { String(decoding: bytes, as: UTF8.self) }

  package static func < (a: PythonText, b: PythonText) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

  static func + (a: PythonText, b: PythonText) -> PythonText { PythonText(bytes: a.bytes + b.bytes) }

  mutating func append(_ scalar: Unicode.Scalar) { bytes.append(contentsOf: UTF8.encode(scalar)!) }
  mutating func append(_ other: PythonText) { bytes += other.bytes }

  /// Repeats the bytes, by doubling instead of one by one.
  func bytes(times: Int) -> [UInt8] {
    guard !isEmpty, times > 0 else { return [] }
    if bytes.count == 1 { return [UInt8](repeating: bytes[0], count: times) }
    let size = bytes.count * times
    var made = bytes
    made.reserveCapacity(size)
    while made.count <= size / 2 { made += made }
    made += made[..<(size - made.count)]
    return made
  }

  var isEmpty: Bool { bytes.isEmpty }
  var isASCII: Bool { bytes.allSatisfy { $0 < 0x80 } }

  /// Number of code points.
  var count: Int {
    var n = 0
    for byte in bytes where byte & 0xC0 != 0x80 { n += 1 }
    return n
  }

  var scalars: [Unicode.Scalar] { Array(String(decoding: bytes, as: UTF8.self).unicodeScalars) }

  /// The code points, as separate texts.
  var characters: [PythonText] {
    var parts: [PythonText] = []
    var start = 0
    for i in bytes.indices.dropFirst() where bytes[i] & 0xC0 != 0x80 {
      parts.append(PythonText(bytes: bytes[start..<i]))
      start = i
    }
    if !bytes.isEmpty { parts.append(PythonText(bytes: bytes[start...])) }
    return parts
  }

  func hasPrefix(_ other: PythonText) -> Bool { bytes.starts(with: other.bytes) }
  func hasSuffix(_ other: PythonText) -> Bool {
    bytes.count >= other.bytes.count && bytes[(bytes.count - other.bytes.count)...].elementsEqual(other.bytes)
  }

  /// The first occurrence of another text, as a byte index.
  func firstByte(of other: PythonText, from start: Int = 0) -> Int? {
    guard start <= bytes.count else { return nil }
    return bytes.firstPlace(of: other.bytes, in: start..<bytes.count)
  }

  /// The last occurrence of another text, as a byte index.
  func lastByte(of other: PythonText) -> Int? {
    reversed.firstByte(of: other.reversed).map { bytes.count - $0 - other.bytes.count }
  }

  /// The bytes in reverse order, which are not valid text.
  var reversed: PythonText { PythonText(bytes: bytes.reversed()) }

  /// The byte index of a code point; the end for the index after the last.
  func byte(ofScalar n: Int) -> Int {
    var left = n
    for i in bytes.indices where bytes[i] & 0xC0 != 0x80 {
      if left == 0 { return i }
      left -= 1
    }
    return bytes.count
  }

  /// The index of the code point that begins at a byte.
  func scalar(ofByte n: Int) -> Int {
    var count = 0
    for i in 0..<n where bytes[i] & 0xC0 != 0x80 { count += 1 }
    return count
  }
}

extension Unicode.Scalar {
  /// Python's `str.isspace`, and `\s` in its regular expressions.
  var isPythonSpace: Bool {
    switch value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  /// Whether Python's `str.splitlines` ends a line here.
  var endsPythonLine: Bool {
    switch value {
    case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }
}
