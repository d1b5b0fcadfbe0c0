// The parts of SQLite's write-ahead log that are read here (https://www.sqlite.org/fileformat2.html, section 4):
//
//   header   32 bytes   u32 magic 0x377f0682 (sums over little-endian words) or …83 (big-endian), u32 version,
//                       u32 page size, u32 sequence, u32 salt[2], u32 sum[2] of the 24 bytes before
//   frame    24 bytes   u32 page, u32 pages of the database after this frame if it ends a transaction or else 0,
//                       u32 salt[2] as in the header, u32 sum[2] of all from the header on: of a frame its first 8 bytes
//                       and its page
//            and a page
//
// All numbers are big-endian. Frames are valid up to the last one that ends a transaction. Frames with other salts or
// sums are left over from earlier.

import Base

/// The bytes of a catalogue, read from its files without writing anything.
///
/// SQLite itself cannot read a database with a write-ahead log without creating files beside it, which is impossible on
/// a full or read-only disk.
struct CatalogueImage {
  /// A database without a log.
  private(set) var bytes: [UInt8]

  /// Reads file and log until two reads in a row agree: then no process moved pages between them.
  /// - Throws: `io` where they cannot be read, or keep changing.
  init(path: String) throws {
    var last = try Self.read(path)
    for _ in 0..<100 {
      let again = try Self.read(path)
      if again == last {
        bytes = last[0]
        Self.replay(last[1], on: &bytes)
        // A database in memory has no log.
        if bytes.count >= 100 { (bytes[18], bytes[19]) = (1, 1) }
        return
      }
      last = again
    }
    throw VPatchError(.io, path, "keeps changing", remedy: "try again when that has ended")
  }

  /// The contents of the database file and of its log; an empty log where there is none.
  private static func read(_ path: String) throws -> [[UInt8]] {
    try [path, path + "-wal"].map { file in
      if file != path, try PathKind.of(file, followingLinks: false) != .file { return [] }
      let input = try InputFile(path: file)
      return try input.read(0..<input.size)
    }
  }

  /// Copies the pages of a log to their places in the database.
  static func replay(_ log: [UInt8], on database: inout [UInt8]) {
    log.withUnsafeBytes { replay($0, on: &database) }
  }

  private static func replay(_ log: UnsafeRawBufferPointer, on database: inout [UInt8]) {
    func u32(_ offset: Int) -> UInt32 { UInt32(bigEndian: log.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    guard log.count >= 32, u32(0) & ~1 == 0x377f_0682 else { return }
    let isLittle = u32(0) & 1 == 0
    let page = Int(u32(8))
    guard (512...65536).contains(page), page & (page - 1) == 0 else { return }
    var sum: (UInt32, UInt32) = (0, 0)
    func add(_ range: Range<Int>) {
      for i in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
        let (a, b) = (u32(i), u32(i + 4))
        sum.0 &+= (isLittle ? a.byteSwapped : a) &+ sum.1
        sum.1 &+= (isLittle ? b.byteSwapped : b) &+ sum.0
      }
    }
    add(0..<24)
    guard sum == (u32(24), u32(28)) else { return }
    var pages: [Int: Int] = [:]
    var (committed, count): ([Int: Int], Int?) = ([:], nil)
    for frame in stride(from: 32, through: log.count - 24 - page, by: 24 + page) {
      add(frame..<frame + 8)
      add(frame + 24..<frame + 24 + page)
      let number = Int(u32(frame))
      guard u32(frame + 8) == u32(16), u32(frame + 12) == u32(20), sum == (u32(frame + 16), u32(frame + 20)), number > 0
      else { break }
      pages[number] = frame + 24
      if u32(frame + 4) > 0 { (committed, count) = (pages, Int(u32(frame + 4))) }
    }
    guard let count else { return }
    // Every page is in the file or in the log, so the result cannot be larger than both together.
    guard count <= database.count / page + committed.count else { return }
    database = Array(database.prefix(count * page)) + Array(repeating: 0, count: max(0, count * page - database.count))
    for (number, at) in committed where number <= count {
      database.replaceSubrange((number - 1) * page..<number * page, with: log[at..<at + page])
    }
  }
}
