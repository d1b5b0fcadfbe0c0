import Base

/// The rows of a data file: JSON Lines, a JSON array, or a CSV table; each optionally with gzip and a byte order mark.
struct RowFile {
  /// A row before it is parsed.
  enum Raw: Sendable {
    case json([UInt8])
    case fields([JSON.Member])

    /// In bytes.
    var size: Int {
      switch self {
      case .json(let line): line.count
      case .fields(let members): members.reduce(0) { $0 + $1.key.utf8.count + ($1.value.string?.utf8.count ?? 0) }
      }
    }

    /// - Throws: `RowError`.
    func row() throws -> Row {
      switch self {
      case .json(let line): try Row(line)
      case .fields(let members): try Row(.object(members))
      }
    }
  }

  /// "-" for standard input.
  let path: String
  /// Maximum bytes of a row: more than fits into any model.
  private static let limit = 64 << 20

  var name: String { path == "-" ? StandardInput.name : path }

  /// Calls `body` with each row and its line number; for an array or a table, the row number.
  /// - Returns: digest of the file's bytes.
  /// - Throws: `invalid` for a file in none of these formats; `io` if it cannot be read, or changes while it is read.
  func read(_ body: (_ number: Int, _ row: Raw) throws -> Void) throws -> ContentDigest {
    let hash = SHA256Hasher()
    var (splitter, inflater): (Splitter?, Inflater?)
    var head: [UInt8] = []
    var hasBegun = false
    func take(_ text: [UInt8]) throws {
      if splitter == nil {
        head += text
        guard head.count >= 64 || text.isEmpty else { return }
        splitter = try self.splitter(head)
        head = splitter!.withoutMark(head)
        try splitter!.add(head, body)
        head = []
      } else {
        try splitter!.add(text, body)
      }
    }
    try forEachPiece { piece in
      hash.update(piece)
      if !hasBegun {
        hasBegun = true
        if piece.starts(with: [0x1F, 0x8B]) { inflater = try Inflater(path: name) }
      }
      if let inflater { try inflater.add(piece, take) } else { try take(piece) }
    }
    try inflater?.end()
    if splitter == nil { try take([]) }
    try splitter?.end(body)
    return hash.finalize()
  }

  private func forEachPiece(_ body: ([UInt8]) throws -> Void) throws {
    guard path == "-" else {
      let file = try InputFile(path: path)
      try file.forEachPiece(body)
      return try file.requireUnchanged()
    }
    while true {
      let piece = try StandardInput.piece()
      guard !piece.isEmpty else { return }
      try body(piece)
    }
  }

  private var isTable: Bool {
    [".csv", ".tsv"].contains(ending)
  }

  /// File name extension in lower case, without that of gzip.
  private var ending: String {
    let name = path.lowercased()
    let unpacked = name.hasSuffix(".gz") ? name.dropLast(3) : name[...]
    return unpacked.lastIndex(of: ".").map { String(unpacked[$0...]) } ?? ""
  }

  /// Splitter for the file's format, by its first bytes.
  private func splitter(_ head: [UInt8]) throws -> Splitter {
    if let form = FileForm.of(head: head, name: path), form != .json {
      throw VPatchError(.refused, name, "\(form.what), not rows of data", remedy: form.rowsRemedy(path))
    }
    if head.starts(with: [0xFF, 0xFE, 0, 0]) || head.starts(with: [0, 0, 0xFE, 0xFF]) {
      throw VPatchError(.invalid, name, "is UTF-32", remedy: "convert it: iconv -f UTF-32 -t UTF-8")
    }
    if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
      throw VPatchError(.invalid, name, "is UTF-16", remedy: "convert it: iconv -f UTF-16 -t UTF-8")
    }
    if isTable { return .table(TableSplitter(isTabbed: ending == ".tsv", limit: Self.limit, path: name)) }
    let first = head.drop { [0xEF, 0xBB, 0xBF].contains($0) || $0.isJSONSpace }.first
    if path == "-", let first, ![UInt8(ascii: "["), UInt8(ascii: "{")].contains(first) {
      throw VPatchError(
        .invalid, name, "is neither JSON Lines nor a JSON array",
        remedy: "for a table, use a file name that ends with .csv or .tsv")
    }
    return first == UInt8(ascii: "[")
      ? .array(ArraySplitter(limit: Self.limit, path: name)) : .lines(LineSplitter(limit: Self.limit, path: name))
  }

  private enum Splitter {
    case lines(LineSplitter)
    case array(ArraySplitter)
    case table(TableSplitter)

    /// Without the byte order mark of UTF-8.
    func withoutMark(_ head: [UInt8]) -> [UInt8] {
      head.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(head.dropFirst(3)) : head
    }

    mutating func add(_ piece: [UInt8], _ body: (Int, Raw) throws -> Void) throws {
      switch self {
      case .lines(var lines):
        try lines.add(piece) { number, line in try Self.line(number, line, body) }
        self = .lines(lines)
      case .array(var array):
        try array.add(piece) { try body($0, .json($1)) }
        self = .array(array)
      case .table(var table):
        try table.add(piece) { try body($0, .fields($1)) }
        self = .table(table)
      }
    }

    mutating func end(_ body: (Int, Raw) throws -> Void) throws {
      switch self {
      case .lines(var lines): try lines.end { number, line in try Self.line(number, line, body) }
      case .array(let array): try array.end()
      case .table(var table): try table.end { try body($0, .fields($1)) }
      }
    }

    /// Blank lines are skipped.
    private static func line(_ number: Int, _ line: [UInt8], _ body: (Int, Raw) throws -> Void) throws {
      if !line.allSatisfy(\.isJSONSpace) { try body(number, .json(line)) }
    }
  }
}

extension UInt8 {
  var isJSONSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0D || self == 0x0A }
}
