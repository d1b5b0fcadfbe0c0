import Base

/// An open patch file. It was verified as a whole: every rule of the spec's section 3.2 holds.
///
/// Chunks are checked again when they are read, so changes to the open file are detected.
package final class Patch: Sendable {
  package let path: String
  /// Its name in errors: the path, or the name in a store.
  package let label: String
  package let header: PatchHeader
  package let annex: Annex
  /// Notes and records: name, note, recipe, measurements. Not part of the identity.
  package let annotations: JSON
  package let fileSize: Int
  /// What signatures cover, besides the annotations.
  package let signedContent: SignedContent
  /// A later version set flags that forbid this version to write a changed file.
  package let isReadOnly: Bool
  /// The open file.
  package var file: InputFile { input }
  package let input: InputFile
  package let payloadStart: Int

  package var identity: ContentDigest { header.identity }
  package var name: String? { annotations["name"]?.string }

  /// Opens a patch and checks everything that can be checked without a model.
  /// - Parameters:
  ///   - threads: number of threads that hash the payload.
  ///   - label: its name in errors; nil for its path.
  /// - Throws: `invalid` with the first rule that does not hold; `io`.
  package init(path: String, threads: Int = 2, label: String? = nil) throws {
    let input = try InputFile(path: path)
    do {
      let preamble = try PatchPreamble(
        parsing: try input.read(0..<min(input.size, PatchPreamble.size)), fileSize: input.size)
      let stored = try input.read(PatchPreamble.size..<PatchPreamble.size + preamble.headerStored)
      guard SHA256Hasher.hash(stored) == preamble.headerDigest else {
        throw Malformed("is damaged in its header", isDamage: true)
      }
      header = try PatchHeader(
        parsing: Self.decompress(stored, to: preamble.headerDecoded, windowLog: 26, what: "a header"),
        flags: preamble.flags, maximumValues: Self.maximumValues(stored.count))
      payloadStart = PatchPreamble.size + preamble.headerStored
      isReadOnly = preamble.isReadOnly
      let annexStart = payloadStart + header.payloadBytes
      let annexEnd = annexStart + header.annex.stored
      guard annexEnd >= annexStart, annexEnd <= input.size else {
        throw Malformed(
          "is cut short: its payload and annex end at \(annexEnd), the file at \(input.size)", isDamage: true)
      }
      let notes = try Self.annotations(input, from: annexEnd)
      try Self.verifyChunks(header, input, payloadStart, threads: threads)
      let annexBytes = try input.read(annexStart..<annexEnd)
      guard SHA256Hasher.hash(annexBytes) == header.annex.digest else {
        throw Malformed("is damaged in its annex", isDamage: true)
      }
      let annexText = try Self.decompress(
        annexBytes, to: header.annex.decoded, windowLog: Annex.windowLog, what: "an annex")
      annex = try Annex(
        parsing: annexText, for: header.tensors, adapter: header.adapter,
        maximumValues: Self.maximumValues(annexBytes.count))
      signedContent = SignedContent(identity: header.identity, annex: SHA256Hasher.hash(annexText))
      annotations = try Self.parse(annotations: notes)
    } catch let error as Malformed {
      if let form = try FileForm.of(input) {
        throw VPatchError(.invalid, path, "\(form.what), not a patch", remedy: form.patchRemedy(path), cause: error)
      }
      throw VPatchError(
        .invalid, path, error.reason,
        remedy: error.isDamage ? "get it again" : nil, detail: error.isDamage ? .damaged : nil, cause: error)
    }
    self.path = path
    self.label = label ?? path
    self.input = input
    fileSize = input.size
  }

  /// Maximum number of JSON values in the decoded form of this many stored bytes. A tensor's entry has about ten values
  /// and an incompressible fingerprint. Without the limit, 6 KB could decode to 64 MiB of zeros and commas, whose
  /// values would take a gigabyte.
  private static func maximumValues(_ stored: Int) -> Int { 1 << 16 + 64 * stored }

  private static func decompress(_ bytes: [UInt8], to count: Int, windowLog: Int32, what: String) throws -> [UInt8] {
    do {
      return try bytes.withUnsafeBytes { frame in
        // The frame declares its length. Check that before allocating.
        guard try Zstd.contentSize(frame, limit: count) == count else {
          throw Zstd.Failure(reason: "is a zstd frame whose length is not the expected one")
        }
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
          try Zstd.decompress(frame, into: UnsafeMutableRawBufferPointer(buffer), windowLog: windowLog)
          initialized = count
        }
      }
    } catch let failure as Zstd.Failure {
      throw Malformed("has \(what) that \(failure.reason)", isDamage: failure.isDamage)
    }
  }

  static let maximumAnnotations = 16 << 20

  /// Reads the annotations, which must be the end of the file.
  private static func annotations(_ input: InputFile, from start: Int) throws -> [UInt8] {
    guard input.size - start >= 48 else { throw Malformed("is cut short before its annotations", isDamage: true) }
    let head = try input.read(start..<start + 48)
    func u64(_ offset: Int) -> UInt64 {
      head[offset..<offset + 8].enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
    }
    guard u64(8) == 0 else { throw Malformed("has a reserved field before its annotations that is not zero") }
    guard u64(0) <= UInt64(maximumAnnotations) else { throw Malformed("declares annotations of \(u64(0)) bytes") }
    guard Int(u64(0)) == input.size - start - 48 else {
      let isCut = Int(u64(0)) > input.size - start - 48
      throw Malformed(isCut ? "is cut short in its annotations" : "has bytes after its annotations", isDamage: isCut)
    }
    let bytes = try input.read(start + 48..<input.size)
    guard SHA256Hasher.hash(bytes) == ContentDigest(bytes: head[16..<48]) else {
      throw Malformed("is damaged in its annotations", isDamage: true)
    }
    return bytes
  }

  private static func parse(annotations bytes: [UInt8]) throws -> JSON {
    do {
      let json = try JSON.parse(bytes)
      guard json.object != nil else { throw Malformed("has annotations that are not an object") }
      return json
    } catch let error as JSONError { throw Malformed("has annotations with \(error.reason)") }
  }

  private static func verifyChunks(
    _ header: PatchHeader, _ input: InputFile, _ payloadStart: Int, threads: Int
  ) throws {
    let tensors =
      (header.tensors.map { ($0.name, $0.chunks) } + header.adapter.map { ($0.name, $0.chunks) })
      .filter { !$0.1.isEmpty }
    try Parallel.forEach(tensors.count, threads: threads) { i in
      let (name, chunks) = tensors[i]
      let largest = chunks.map(\.stored).max()!
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: largest, alignment: 64)
      defer { buffer.deallocate() }
      for chunk in chunks {
        let stored = UnsafeMutableRawBufferPointer(rebasing: buffer[..<chunk.stored])
        try input.read(into: stored, at: payloadStart + chunk.offset)
        guard SHA256Hasher.hash(UnsafeRawBufferPointer(stored)) == chunk.digest else {
          throw Malformed("is damaged in the tensor \"\(name.printable)\"", isDamage: true)
        }
      }
    }
  }

  /// The stored bytes of a chunk, checked against its digest.
  package func read(_ chunk: Chunk, into buffer: UnsafeMutableRawBufferPointer) throws -> UnsafeRawBufferPointer {
    let stored = UnsafeMutableRawBufferPointer(rebasing: buffer[..<chunk.stored])
    try input.read(into: stored, at: payloadStart + chunk.offset)
    guard SHA256Hasher.hash(UnsafeRawBufferPointer(stored)) == chunk.digest else {
      throw VPatchError(.invalid, label, "was changed while it was read", remedy: "run the command again")
    }
    return UnsafeRawBufferPointer(stored)
  }

  /// Whether decoding a tensor's differences depends on the other side's values, as with the ulp coder.
  package func needsContext(_ tensor: PatchTensor) throws -> Bool {
    try tensor.chunks.contains { chunk in
      guard chunk.role == .difference else { return false }
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk.stored, alignment: 64)
      defer { buffer.deallocate() }
      return ChunkCoder.needsContext(try read(chunk, into: buffer))
    }
  }

  /// The entry of a tensor; nil where there is none.
  package func tensor(named name: String) -> PatchTensor? { header.tensors.element(named: name, by: \.name) }
}

extension Patch {
  /// Whether the file at a path begins like a patch.
  package static func looksLikePatch(path: String) throws -> Bool {
    guard try PathKind.of(path) == .file else { return false }
    let file = try InputFile(path: path)
    return try file.size >= 4 && file.read(0..<4) == Array(PatchPreamble.magic[..<4])
  }
}
