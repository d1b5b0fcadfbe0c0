import Glibc

/// Text on standard input, line by line or whole.
package struct StandardInput {
  /// Maximum length of one piece in bytes, more than a prompt has. Endless input is refused before it fills the memory.
  private static let limit = 16 << 20
  package static let name = "standard input"
  private var read: [UInt8] = []
  private var isAtEnd = false

  package init() {}

  /// All remaining text.
  /// - Throws: `io` where it cannot be read; `invalid` where it is not UTF-8 or too long.
  package mutating func text() throws -> String {
    while try more() {}
    defer { read = [] }
    return try Self.text(read[...])
  }

  /// The next line, without its line end; nil after the last line.
  /// - Throws: like `text`.
  package mutating func line() throws -> String? {
    var searched = 0
    while true {
      if let end = read[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = read[..<end].last == UInt8(ascii: "\r") ? read[..<(end - 1)] : read[..<end]
        defer { read.removeFirst(end + 1) }
        return try Self.text(line)
      }
      searched = read.count
      guard try !more() else { continue }
      return read.isEmpty ? nil : try text()
    }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw VPatchError(.invalid, name, "is not UTF-8", remedy: "give a text")
    }
    return text
  }

  /// - Returns: false at the end of the input.
  private mutating func more() throws -> Bool {
    guard !isAtEnd else { return false }
    let piece = try Self.piece()
    read += piece
    guard read.count <= Self.limit else {
      throw VPatchError(
        .invalid, Self.name, "has more than \(Format.bytes(Self.limit)) in one piece", remedy: "give a shorter text")
    }
    isAtEnd = piece.isEmpty
    return !isAtEnd
  }

  /// The bytes that are available next, waiting for at least one; empty at the end of the input.
  /// - Throws: `io` where it cannot be read.
  package static func piece() throws -> [UInt8] {
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    var n = Glibc.read(STDIN_FILENO, &piece, piece.count)
    while n < 0 {
      switch errno {
      case EINTR: break
      case EAGAIN:
        var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        _ = poll(&waiting, 1, -1)
      default: throw VPatchError.system(name, "cannot be read")
      }
      n = Glibc.read(STDIN_FILENO, &piece, piece.count)
    }
    return Array(piece[..<n])
  }
}
