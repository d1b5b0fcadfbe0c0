// A canonical delta, as slime (`update_weight_from_disk_delta.py`) and ModelExpress 0.7.0 (`canonical_delta.py`) write
// and read it: the folder of a checkpoint whose tensors are the changed ones, each a zstd frame of the bytes of base XOR
// target. The metadata of each shard has the checksums of the target's bytes, by name.

import Base
import Checkpoints
import Synchronization

/// A base with a canonical delta applied, tensor by tensor, without writing it.
///
/// The checksum of a changed tensor is compared when its last byte is read, if a source has read it from front to back.
package struct DeltaCheckpoint: Checkpoint {
  package let index: DeltaIndex
  private let stored: SafetensorsCheckpoint
  private let base: SafetensorsCheckpoint
  private let changes: [String: Change]
  private let decoders: DeltaDecoders
  private let checked = Checked()

  fileprivate struct Change: Sendable {
    /// The frame in the delta's shard, and its index among all frames.
    let frame: CheckpointTensor
    let number: Int
    let checksum: String
  }

  /// Tensors whose checksums were compared.
  fileprivate final class Checked: Sendable {
    let names = Mutex<Set<String>>([])
  }

  /// Frames of all levels up to 19 have smaller windows; slime and ModelExpress write level 1.
  private static let windowLog: Int32 = 23

  /// Opens a delta and checks its index, its headers and its names against the base. Reads no tensor.
  /// - Parameter threads: how many read it at once.
  /// - Throws: `refused` for a kind of delta that is not read; `wrongBase` where it changes tensors that the base lacks;
  ///   `invalid`; `io`.
  package init(path: String, over base: SafetensorsCheckpoint, threads: Int) throws {
    let indexPath = Path.join(path, SafetensorsCheckpoint.indexName)
    let text = try InputFile.contents(of: indexPath, limit: SafetensorsHeader.maximumLength)
    // Before its shards: the error for another kind of delta should not be one about them.
    index = try DeltaIndex(JSON.parse(text, file: indexPath), indexPath)
    stored = try SafetensorsCheckpoint(path: path, reading: .canonicalDelta)
    guard stored.index == text else { throw InputFile.changed(indexPath) }
    self.base = base
    decoders = DeltaDecoders(limit: 2 * threads)
    try Self.requireOwnFiles(stored)
    changes = try Self.changes(stored, base)
    _ = try index.checksum.hasher()
  }

  /// - Throws: `refused` for a shard outside the folder, or one that the index does not name.
  private static func requireOwnFiles(_ stored: SafetensorsCheckpoint) throws {
    let folder = Enclosure(stored.path)
    let names = Set(stored.files.map(\.name.bytesKey))
    for file in stored.files where try !folder.admits(file.input.path) {
      throw VPatchError(
        .refused, file.input.path, "is a link to a file outside of the delta's folder",
        remedy: "copy that file into the folder")
    }
    let others = try Path.entries(of: stored.path, skippingUndecodable: true).filter {
      SafetensorsCheckpoint.isSafetensorsName($0) && !$0.hasPrefix(".") && !names.contains($0.bytesKey)
    }
    if let other = others.sorted().first {
      throw VPatchError(
        .refused, stored.path,
        "has \(other.printable), which its index does not name: slime applies every .safetensors file of the folder",
        remedy: "remove that file if it is stale")
    }
  }

  private static func changes(
    _ stored: SafetensorsCheckpoint, _ base: SafetensorsCheckpoint
  ) throws -> [String: Change] {
    let checksums = stored.files.map { file in
      Dictionary(file.header.metadata.map { ($0.key.bytesKey, $0.value.string ?? "") }) { first, _ in first }
    }
    var changes: [String: Change] = [:]
    for (number, frame) in stored.tensors.enumerated() {
      let shard = stored.files[frame.file].input.path
      let name = "the tensor \"\(frame.name.printable)\""
      guard let tensor = base.tensor(named: frame.name) else {
        throw VPatchError(
          .wrongBase, stored.path, "changes \(name), which \(base.path.printable) does not have",
          remedy: "give the base that the delta was made from")
      }
      guard tensor.info.byteCount > 0 else {
        throw VPatchError(
          .invalid, shard, "changes \(name), which has no elements", remedy: "copy the delta again from its source")
      }
      guard frame.info.dtype.name == "U8" else {
        throw VPatchError(
          .invalid, shard, "has \(name) of dtype \(frame.info.dtype); a canonical delta has compressed bytes (U8)",
          remedy: "copy the delta again from its source")
      }
      guard let checksum = checksums[frame.file][frame.name.bytesKey] else {
        throw VPatchError(
          .invalid, shard, "has no checksum for \(name)", remedy: "copy the delta again from its source")
      }
      changes[frame.name.bytesKey] = Change(frame: frame, number: number, checksum: checksum)
    }
    return changes
  }

  package var path: String { stored.path }
  /// The delta's folder has none of the base's side files.
  package var isDirectory: Bool { false }
  package var tensors: [CheckpointTensor] { base.tensors }
  package var totalBytes: Int { base.totalBytes }
  package var inputs: [InputFile] { stored.inputs + [stored.indexFile].compactMap(\.self) }

  package func source(of tensor: CheckpointTensor) -> any TensorSource {
    let source = base.source(of: tensor)
    guard let change = changes[tensor.name.bytesKey] else { return source }
    return DeltaTensor(source, change, self)
  }

  package func requireSameBytes() throws {
    try base.requireSameBytes()
    try stored.requireSameBytes()
  }

  /// Checks in addition the checksums of tensors that were not read from front to back.
  package func requireStillThere() throws {
    for tensor in base.tensors where changes[tensor.name.bytesKey] != nil {
      if !checked.names.withLock({ $0.contains(tensor.name.bytesKey) }) { _ = try source(of: tensor).fingerprint() }
    }
    try base.requireStillThere()
    try stored.requireStillThere()
  }

  package func warning() throws -> String? { nil }

  // MARK: For a tensor

  fileprivate func decoder(_ change: Change, of info: TensorInfo, before offset: Int) throws -> ZstdDecompressor {
    if let decoder = decoders.take(change.number, before: offset) { return decoder }
    let frame = stored.source(of: change.frame)
    return try ZstdDecompressor(
      storedSize: frame.info.byteCount, contentSize: info.byteCount, windowLog: Self.windowLog
    ) { try frame.read(into: $0, at: $1) }
  }

  fileprivate func keep(_ decoder: ZstdDecompressor, _ change: Change, of info: TensorInfo) {
    if decoder.position < info.byteCount { decoders.keep(decoder, of: change.number) }
  }

  fileprivate func requireChecksum(_ found: String, _ change: Change) throws {
    guard found == change.checksum else {
      let name = index.checksum.rawValue
      throw VPatchError(
        .wrongBase, base.path,
        "is not the base of \(path.printable), or the delta is damaged: \"\(change.frame.name.printable)\" gets the "
          + "\(name) \(found), and the delta says \(change.checksum.printable)",
        remedy: "give the model of version \(index.baseVersion), or copy the delta again from its source")
    }
    checked.names.withLock { _ = $0.insert(change.frame.name.bytesKey) }
  }

  fileprivate func failure(_ failure: Zstd.Failure, _ change: Change) -> VPatchError {
    VPatchError(
      .invalid, stored.files[change.frame.file].input.path,
      "has the tensor \"\(change.frame.name.printable)\", which \(failure.reason)",
      remedy: "copy the delta again from its source", detail: failure.isDamage ? .damaged : nil)
  }
}

/// One tensor of a base with its difference applied.
private final class DeltaTensor: TensorSource {
  let info: TensorInfo
  private let base: any TensorSource
  private let change: DeltaCheckpoint.Change
  private let delta: DeltaCheckpoint
  private var hasher: (any DeltaHasher)?
  /// Bytes that the hasher has processed.
  private var hashed = 0

  init(_ base: any TensorSource, _ change: DeltaCheckpoint.Change, _ delta: DeltaCheckpoint) {
    (info, self.base, self.change, self.delta) = (base.info, base, change, delta)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    guard !buffer.isEmpty else { return }
    try base.read(into: buffer, at: offset)
    do { try applyDifference(to: buffer, at: offset) } catch let error as Zstd.Failure {
      throw delta.failure(error, change)
    }
    guard offset == hashed else { return }
    if hasher == nil { hasher = try delta.index.checksum.hasher() }
    hasher?.update(UnsafeRawBufferPointer(buffer))
    hashed += buffer.count
    if hashed == info.byteCount { try delta.requireChecksum(hasher!.finalize(), change) }
  }

  private func applyDifference(to buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    let decoder = try delta.decoder(change, of: info, before: offset)
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { piece.deallocate() }
    func next(_ end: Int) throws -> UnsafeMutableRawBufferPointer {
      let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(piece.count, end - decoder.position)])
      try decoder.read(into: part)
      return part
    }
    while decoder.position < offset { _ = try next(offset) }
    let end = offset + buffer.count
    while decoder.position < end {
      let start = decoder.position - offset
      let part = UnsafeRawBufferPointer(try next(end))
      UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + part.count]).formXOR(part)
    }
    delta.keep(decoder, change, of: info)
  }
}

extension UnsafeMutableRawBufferPointer {
  /// XOR of each byte with that of another buffer of the same size.
  func formXOR(_ other: UnsafeRawBufferPointer) {
    precondition(count == other.count)
    guard let mine = baseAddress, let theirs = other.baseAddress else { return }
    for i in stride(from: 0, to: count & ~7, by: 8) {
      let word = mine.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      let its = theirs.loadUnaligned(fromByteOffset: i, as: UInt64.self)
      mine.storeBytes(of: word ^ its, toByteOffset: i, as: UInt64.self)
    }
    for i in count & ~7..<count { self[i] ^= other[i] }
  }
}
