// Valid if and only if, checked in this order (spec/journal.md): (1) 64 bytes and the magic; (2) version 1, reserved
// bytes zero; (3) preamble, header (of at most 64 MiB) and payload are the whole file; (4) the digest matches; (5) the
// header is canonical JSON of exactly the known members; (6) names are plain file names, each changed by only one
// entry; (7) regions are inside their files, in order, without overlap, and as long as the payload. The reader of the
// payload checks its fingerprints.

import Base
import Checkpoints

extension Journal {
  /// Reads a journal and checks everything but its payload.
  /// - Returns: the journal, and the file offset of its payload.
  /// - Throws: `invalid`; `io`.
  package static func read(_ file: InputFile) throws -> (journal: Journal, payloadStart: Int) {
    do {
      let preamble = try file.read(0..<min(file.size, preambleSize))
      guard preamble.count == preambleSize, preamble.starts(with: magic) else { throw Malformed("is not a journal") }
      func u64(_ offset: Int) -> UInt64 {
        preamble[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      }
      guard UInt16(preamble[8]) | UInt16(preamble[9]) << 8 == version, preamble[10..<16].allSatisfy({ $0 == 0 }) else {
        throw Malformed("has a version that this vpatch does not support")
      }
      let rest = UInt64(file.size - preambleSize)
      guard u64(16) <= rest, u64(24) == rest - u64(16) else { throw Malformed("is cut short or has extra bytes") }
      guard u64(16) <= UInt64(maximumHeader) else { throw Malformed("declares a header of \(u64(16)) bytes") }
      let payloadStart = preambleSize + Int(u64(16))
      let header = try file.read(preambleSize..<payloadStart)
      guard SHA256Hasher.hash(Array(preamble[..<32]) + header) == ContentDigest(bytes: preamble[32...]) else {
        throw Malformed("is damaged in its header")
      }
      let journal = try Journal(parsing: header)
      guard journal.payloadBytes == file.size - payloadStart else {
        throw Malformed("has regions whose length differs from its payload")
      }
      return (journal, payloadStart)
    } catch let error as Malformed {
      throw VPatchError(.invalid, file.path, error.reason, remedy: unusable)
    }
  }

  /// The advice for a journal that cannot be replayed.
  package static let unusable =
    "nothing was changed: restore the model from a copy, then run 'vpatch recover MODEL --set-aside', which renames "
    + "the journal"

  private init(parsing text: [UInt8]) throws {
    let json: JSON
    do { json = try JSON.parse(text) } catch let error as JSONError { throw Malformed("has \(error.reason)") }
    guard json.canonical() == text else { throw Malformed("is not in canonical form") }
    let object = try ObjectReader(json, of: "the journal")
    from = try object.digest("from")
    to = try object.digest("to")
    let files = try object.list("files").map { entry in
      let members = try ObjectReader(entry, of: "a file")
      let file = File(name: try members.fileName("name"), identity: try members.identity("identity"))
      try members.finish()
      return file
    }
    for (a, b) in zip(files, files.dropFirst()) where !a.name.precedes(b.name) {
      throw Malformed("has files out of order or twice")
    }
    self.files = files
    regions = try object.list("regions").map { try Self.region($0, files) }
    for (a, b) in zip(regions, regions.dropFirst())
    where (a.file, a.range.upperBound) > (b.file, b.offset) { throw Malformed("has regions out of order") }
    guard regions.lazy.map(\.tensor.info.byteCount).sumWithinLimits() != nil else {
      throw Malformed("has regions of more than \(Limits.number) bytes together")
    }
    renames = try object.list("renames").map { entry in
      let members = try ObjectReader(entry, of: "a rename")
      let rename = Rename(
        from: try members.fileName("from"), to: try members.fileName("to"),
        identity: try members.identity("identity"), over: members.isPresent("over") ? try members.identity("over") : nil
      )
      try members.finish()
      guard TemporaryName.isOneOfAnyVersion(rename.from) else {
        throw Malformed("renames \"\(rename.from.printable)\", which is not a temporary file")
      }
      return rename
    }
    removals = try object.list("removals").map { entry in
      let members = try ObjectReader(entry, of: "a removal")
      let removal = Removal(name: try members.fileName("name"), identity: try members.identity("identity"))
      try members.finish()
      return removal
    }
    try object.finish()
    let names = files.map(\.name) + renames.flatMap { [$0.from, $0.to] } + removals.map(\.name)
    guard Set(names.map(\.bytesKey)).count == names.count else { throw Malformed("changes a file in two ways") }
  }

  private static func region(_ json: JSON, _ files: [File]) throws -> Region {
    let members = try ObjectReader(json, of: "a region")
    let file = try members.int("file")
    let offset = try members.int("offset")
    let length = try members.int("length")
    let name = try members.string("tensor")
    let dtype = DType(try members.string("dtype"))
    let shape = try members.list("shape").map { $0.int }
    let fingerprint = try members.digest("fingerprint")
    try members.finish()
    guard let dtype, !shape.contains(nil), TensorInfo.isValidName(name) else {
      throw Malformed("has a region that is not a tensor")
    }
    // Both are below 2⁵³, so their sum cannot overflow.
    guard files.indices.contains(file), offset + length <= files[file].identity.size else {
      throw Malformed("has a region outside of its file")
    }
    let info = TensorInfo(name: name, dtype: dtype, shape: shape.map { $0! }, byteCount: length)
    return Region(file: file, offset: offset, tensor: FingerprintedTensor(info, fingerprint))
  }
}

extension ObjectReader where Failure == Malformed {
  fileprivate func fileName(_ key: String) throws(Malformed) -> String {
    try value(key, "the name of a file") { json in
      json.string.flatMap { SafetensorsCheckpoint.isValidFileName($0) ? $0 : nil }
    }
  }

  fileprivate func identity(_ key: String) throws(Malformed) -> LastingIdentity {
    try value(key, "a file's identity") { $0.string.flatMap(LastingIdentity.init) }
  }
}
