// What torch.save writes since PyTorch 1.6: a zip file without compression, all of whose entries are in one folder.
//
//   NAME/data.pkl      a pickle of the object. A tensor in it names its storage
//   NAME/byteorder     "little" or "big"; older files do not have it and are little-endian
//   NAME/data/KEY      the bytes of a storage, aligned to 64
//   NAME/version …     of no use here
//
// A zip ends with its directory: for each entry (signature PK\1\2) the name, the size, the CRC-32 and where the entry
// begins, and behind them the end record (PK\5\6) with the number of entries and where the directory begins. Numbers
// of more than 32 bits are in the extra field 1 of an entry, and in a second end record (PK\6\6), which a locator
// (PK\6\7) precedes the first with. In front of an entry's bytes is a copy of its name (PK\3\4).
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3.

import Base

/// A zip file as torch.save writes it, which may be a part of another file.
struct TorchArchive {
  struct Entry {
    let start: Int
    let count: Int
    /// Zero where the writer was told not to compute it (torch.serialization.set_crc32_options).
    let crc: UInt32
    var range: Range<Int> { start..<start + count }
  }

  private let file: InputFile
  private let range: Range<Int>
  /// Without the folder's name.
  private let entries: [String: Listed]

  /// An entry as the directory lists it.
  private struct Listed {
    let path: [UInt8]
    let header: Int
    let count: Int
    let crc: UInt32
  }

  /// Reads the directory of the archive that fills a range of a file.
  /// - Throws: `invalid`; `io`.
  init(_ file: InputFile, _ range: Range<Int>) throws {
    self.file = file
    self.range = range
    let (directory, count) = try Self.directory(file, range)
    var reader = ZipReader(bytes: try file.read(directory))
    var entries: [String: Listed] = [:]
    for _ in 0..<count {
      guard let listed = try Self.listed(&reader, before: directory.lowerBound - range.lowerBound) else {
        throw Self.invalid(file, "its directory is damaged")
      }
      guard let path = String(validating: listed.path, as: UTF8.self), let slash = path.firstIndex(of: "/") else {
        throw Self.invalid(file, "it has a file that is in no folder")
      }
      guard entries.updateValue(listed, forKey: String(path[path.index(after: slash)...])) == nil else {
        throw Self.invalid(file, "it has \"\(path.printable)\" twice")
      }
    }
    guard reader.isAtEnd else { throw Self.invalid(file, "its directory is damaged") }
    self.entries = entries
  }

  private static func invalid(_ file: InputFile, _ reason: String) -> VPatchError {
    VPatchError(
      .invalid, file.path, "is not a valid file of torch.save: \(reason)", remedy: "copy it again, or save it again")
  }

  // MARK: Entries

  /// - Throws: `invalid` where there is none of that name.
  func entry(_ name: String) throws -> Entry {
    guard let entry = try optionalEntry(name) else {
      throw Self.invalid(file, "it has no \"\(name.printable)\"")
    }
    return entry
  }

  private func optionalEntry(_ name: String) throws -> Entry? {
    guard let listed = entries[name] else { return nil }
    let header = range.lowerBound + listed.header
    // The directory is behind it, so these bytes exist.
    var reader = ZipReader(bytes: try file.read(header..<header + 30))
    guard reader.signature(0x0403_4B50), reader.skip(22), let nameCount = reader.number(2), let extra = reader.number(2)
    else { throw Self.invalid(file, "\"\(name.printable)\" is not where its directory says") }
    let start = header + 30 + nameCount + extra
    guard nameCount == listed.path.count, start + listed.count <= range.upperBound,
      try file.read(header + 30..<header + 30 + nameCount) == listed.path
    else { throw Self.invalid(file, "\"\(name.printable)\" is not where its directory says") }
    return Entry(start: start, count: listed.count, crc: listed.crc)
  }

  /// The bytes of a small entry, checked.
  func contents(of name: String, limit: Int) throws -> [UInt8] {
    let entry = try entry(name)
    guard entry.count <= limit else {
      throw Self.invalid(file, "\"\(name.printable)\" has \(entry.count) bytes; the limit is \(limit)")
    }
    let bytes = try file.read(entry.range)
    guard entry.crc == 0 || CRC32.of(bytes) == entry.crc else {
      throw Self.invalid(file, "\"\(name.printable)\" does not have the checksum that was written with it")
    }
    return bytes
  }

  /// - Throws: `refused` for a file from a big-endian machine.
  func requireLittleEndian() throws {
    guard entries["byteorder"] != nil else { return }
    switch String(decoding: try contents(of: "byteorder", limit: 64), as: UTF8.self) {
    case "little": break
    case "big":
      throw VPatchError(
        .refused, file.path, "was written by a big-endian machine",
        remedy: "load and save it with PyTorch on this machine: torch.save(torch.load(path), path)")
    default: throw Self.invalid(file, "its byteorder is unknown")
    }
  }

  // MARK: Directory

  /// Where the directory is, and how many entries it has.
  private static func directory(_ file: InputFile, _ range: Range<Int>) throws -> (Range<Int>, Int) {
    let (endSize, wideSize) = (22, 56 + 20)
    let tailStart = max(range.lowerBound, range.upperBound - endSize - wideSize)
    let tail = try file.read(tailStart..<range.upperBound)
    let end = tail.count - endSize
    var reader = ZipReader(bytes: tail, at: max(end, 0))
    guard end >= 0, reader.signature(0x0605_4B50), reader.skip(6), var count = reader.number(2),
      var size = reader.number(4), var start = reader.number(4), reader.number(2) == 0
    else { throw invalid(file, "it does not end with a zip directory: was it cut short?") }
    var directoryEnd = range.count - endSize
    // PyTorch writes the second end record always, and readers prefer it.
    var locator = ZipReader(bytes: tail, at: max(end - 20, 0))
    if end == wideSize, locator.signature(0x0706_4B50) {
      directoryEnd -= wideSize
      var reader = ZipReader(bytes: tail)
      guard locator.skip(4), locator.number(8) == directoryEnd, reader.signature(0x0606_4B50), reader.skip(28),
        let wideCount = reader.number(8), let wideBytes = reader.number(8), let wideStart = reader.number(8)
      else { throw invalid(file, "its zip directory is damaged") }
      (count, size, start) = (wideCount, wideBytes, wideStart)
    }
    guard size <= directoryEnd, start == directoryEnd - size, count <= size / 46, size <= 1 << 28 else {
      throw invalid(file, "its zip directory is damaged")
    }
    return (range.lowerBound + start..<range.lowerBound + directoryEnd, count)
  }

  /// The next entry of the directory; nil for a damaged one.
  /// - Parameter end: where the directory begins in the archive.
  /// - Throws: `refused` for a compressed or encrypted entry.
  private static func listed(_ reader: inout ZipReader, before end: Int) throws -> Listed? {
    guard reader.signature(0x0201_4B50), reader.skip(4), let flags = reader.number(2), let method = reader.number(2),
      reader.skip(4), let crc = reader.number(4), var stored = reader.number(4), var count = reader.number(4),
      let nameCount = reader.number(2), let extraCount = reader.number(2), let commentCount = reader.number(2),
      reader.skip(8), var header = reader.number(4), let path = reader.bytes(nameCount),
      let extra = reader.bytes(extraCount), reader.skip(commentCount)
    else { return nil }
    // Fields of more than 32 bits, in this order and only where they are needed.
    var fields = ZipReader(bytes: extra)
    while let id = fields.number(2), let size = fields.number(2), let field = fields.bytes(size) {
      guard id == 1 else { continue }
      var wide = ZipReader(bytes: field)
      if count == 0xFFFF_FFFF { count = wide.number(8) ?? -1 }
      if stored == 0xFFFF_FFFF { stored = wide.number(8) ?? -1 }
      if header == 0xFFFF_FFFF { header = wide.number(8) ?? -1 }
    }
    guard method == 0, flags & 1 == 0, stored == count else { return nil }
    guard count >= 0, header >= 0, header <= end - 30, count <= end - header - 30 else { return nil }
    return Listed(path: path, header: header, count: count, crc: UInt32(crc))
  }
}

/// Reads the little-endian fields of a zip's records.
private struct ZipReader {
  private let all: [UInt8]
  private var position: Int

  init(bytes: [UInt8], at position: Int = 0) {
    all = bytes
    self.position = position
  }

  var isAtEnd: Bool { position == all.count }

  mutating func skip(_ count: Int) -> Bool {
    guard count <= all.count - position else { return false }
    position += count
    return true
  }

  mutating func bytes(_ count: Int) -> [UInt8]? {
    skip(count) ? Array(all[position - count..<position]) : nil
  }

  /// Nil at the end, and for what does not fit into an `Int`.
  mutating func number(_ count: Int) -> Int? {
    guard skip(count) else { return nil }
    let value = all[position - count..<position].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return Int(exactly: value)
  }

  mutating func signature(_ value: Int) -> Bool { number(4) == value }
}
