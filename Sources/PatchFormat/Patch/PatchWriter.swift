import Base
import Checkpoints
import Synchronization

/// Writes a patch file: chunks in any order, from any thread; the header when all chunks are written.
package final class PatchWriter: Sendable {
  private let path: String
  private let replacing: Bool
  /// Chunks in the order of writing. The patch will have them in the order of its header.
  private let scratch: OutputFile
  private let used = Mutex(0)
  private let written = Mutex(0)

  /// The size of the finished file in bytes.
  package var fileSize: Int { written.withLock { $0 } }

  /// A chunk in the scratch file.
  package struct ScratchChunk: Sendable {
    package let role: ChunkRole
    package let offset: Int
    package let stored: Int
    package let decoded: Int
    package let digest: ContentDigest
  }

  /// - Parameter replacing: whether an existing file is replaced; otherwise that is an error.
  package init(path: String, replacing: Bool = false) throws {
    self.path = path
    self.replacing = replacing
    scratch = try OutputFile(path: path, replacing: replacing)
  }

  package func add(_ stored: [UInt8], role: ChunkRole, decoded: Int) throws -> ScratchChunk {
    let offset = used.withLock { used in
      defer { used += stored.count }
      return used
    }
    try scratch.write(stored, at: offset)
    return ScratchChunk(
      role: role, offset: offset, stored: stored.count, decoded: decoded, digest: SHA256Hasher.hash(stored))
  }

  /// Copies a chunk of another patch in its stored form.
  package func copy(_ chunk: Chunk, of patch: Patch) throws -> ScratchChunk {
    let stored = try [UInt8](unsafeUninitializedCapacity: chunk.stored) { buffer, count in
      _ = try patch.read(chunk, into: UnsafeMutableRawBufferPointer(buffer))
      count = chunk.stored
    }
    return try add(stored, role: chunk.role, decoded: chunk.decoded)
  }

  /// The entry of a tensor in the patch.
  package struct Entry: Sendable {
    package let operation: TensorOperation
    package let base: FingerprintedTensor?
    package let target: FingerprintedTensor?
    package let chunks: [ScratchChunk]
    package let copy: String?
    package let lowRank: LowRank?

    package init(
      operation: TensorOperation, base: FingerprintedTensor?, target: FingerprintedTensor?, chunks: [ScratchChunk],
      copy: String? = nil, lowRank: LowRank? = nil
    ) {
      self.operation = operation
      self.base = base
      self.target = target
      self.chunks = chunks
      self.copy = copy
      self.lowRank = lowRank
    }
  }

  /// A tensor of the adapter.
  package struct AdapterEntry: Sendable {
    package let tensor: FingerprintedTensor
    package let chunks: [ScratchChunk]

    package init(tensor: FingerprintedTensor, chunks: [ScratchChunk]) {
      self.tensor = tensor
      self.chunks = chunks
    }
  }

  /// Writes the file and gives it its final name.
  /// - Parameters:
  ///   - entries: every tensor of either side, in ascending order of name.
  ///   - adapter: the tensors of the adapter that the patch keeps, in ascending order of name.
  /// - Throws: `refused` where the patch would exceed the format's limits; `io`.
  package func finish(
    _ entries: [Entry], adapter: [AdapterEntry] = [], annex: Annex, annotations: JSON
  ) throws -> PatchHeader {
    let annexText = annex.encoded()
    guard annexText.count <= PatchHeader.maximumAnnex else {
      throw VPatchError(
        .refused, path,
        "would contain side files of \(annexText.count) bytes; the maximum is \(PatchHeader.maximumAnnex)")
    }
    let annexBytes = annexText.withUnsafeBytes { Zstd.compress($0, level: 19, windowLog: Annex.windowLog) }
    var end = 0
    func place(_ chunks: [ScratchChunk]) -> [Chunk] {
      chunks.map { chunk in
        defer { end += chunk.stored }
        return Chunk(
          role: chunk.role, offset: end, stored: chunk.stored, decoded: chunk.decoded, digest: chunk.digest)
      }
    }
    let tensors = entries.map { entry in
      PatchTensor(
        operation: entry.operation, base: entry.base, target: entry.target, chunks: place(entry.chunks),
        copy: entry.copy, lowRank: entry.lowRank)
    }
    let kept = adapter.map { AdapterTensor(tensor: $0.tensor, chunks: place($0.chunks)) }
    let header = PatchHeader(
      tensors: tensors, adapter: kept, payloadBytes: end,
      annex: .init(stored: annexBytes.count, decoded: annexText.count, digest: SHA256Hasher.hash(annexBytes)))
    if let reason = PatchHeader.reasonOfTotals(tensors) {
      throw VPatchError(.refused, path, "would be a patch that \(reason), more than the format allows")
    }
    let headerText = header.encoded()
    guard headerText.count <= PatchHeader.maximumDecoded else {
      throw VPatchError(.refused, path, "would have a header of \(headerText.count) bytes, more than the format allows")
    }
    let headerBytes = headerText.withUnsafeBytes { Zstd.compress($0, level: 19, windowLog: 26) }
    let preamble = PatchPreamble(
      headerStored: headerBytes.count, headerDecoded: headerText.count, headerDigest: SHA256Hasher.hash(headerBytes),
      flags: header.flags)

    let file = try OutputFile(path: path, replacing: replacing)
    try file.write(preamble.encoded, at: 0)
    try file.write(headerBytes, at: PatchPreamble.size)
    let payloadStart = PatchPreamble.size + headerBytes.count
    var position = payloadStart
    for chunk in entries.flatMap(\.chunks) + adapter.flatMap(\.chunks) {
      try file.copy(from: scratch, chunk.offset..<chunk.offset + chunk.stored, at: position)
      position += chunk.stored
    }
    try file.write(annexBytes, at: position)
    let tail = Self.encoded(annotations: annotations)
    try file.write(tail, at: position + annexBytes.count)
    try file.commit()
    written.withLock { $0 = position + annexBytes.count + tail.count }
    return header
  }

  package static func encoded(annotations: JSON) -> [UInt8] {
    let text = Array(annotations.compact().utf8)
    return [UInt8](littleEndian: UInt64(text.count)) + [UInt8](repeating: 0, count: 8) + SHA256Hasher.hash(text).bytes
      + text
  }
}

extension Patch {
  /// Writes the same patch, with the same identity and payload, with other annotations.
  /// - Parameter replacing: whether an existing file is replaced; otherwise that is an error.
  /// - Throws: `refused` for a patch whose flags forbid it, or annotations beyond the format's limits; `io`.
  package func write(annotations: JSON, to path: String, replacing: Bool = false) throws {
    guard !isReadOnly else {
      throw VPatchError(
        .refused, self.path, "was written by a later version that forbids older ones to change it",
        remedy: "use that version")
    }
    let tail = PatchWriter.encoded(annotations: annotations)
    // A patch that no reader can open is worse than one without the note.
    guard tail.count <= 48 + Patch.maximumAnnotations, (try? JSON.parse(Array(tail[48...]))) != nil else {
      throw VPatchError(
        .refused, self.path, "would have annotations that are too large, or nested too deep, for a patch",
        remedy: "shorten the annotations")
    }
    let end = payloadStart + header.payloadBytes + header.annex.stored
    let file = try OutputFile(path: path, replacing: replacing)
    try file.copy(from: input, 0..<end, at: 0)
    try file.write(tail, at: end)
    try file.commit()
  }
}
