import Base
import Checkpoints
import PatchFormat
import Synchronization

/// Writes a patch as a canonical delta (`DeltaCheckpoint`).
package struct DeltaExport: Sendable {
  package let patch: Patch
  package let base: SafetensorsCheckpoint
  /// The names of the weights' versions, as the trainer and the server count them.
  package let version: String
  package let baseVersion: String
  package let work: WorkOptions

  package init(
    _ patch: Patch, over base: SafetensorsCheckpoint, version: String, baseVersion: String, work: WorkOptions
  ) {
    (self.patch, self.base, self.work) = (patch, base, work)
    (self.version, self.baseVersion) = (version, baseVersion)
  }

  package struct Result: Sendable {
    package let files: [ExportedFile]
    /// Number of tensors that the delta changes, and their bytes.
    package let tensors: Int
    package let tunedBytes: Int
    /// Side files that the patch changes. A delta has weights only.
    package let sideFilesLeftOut: [String]
    /// The output head of a tied model, if the patch changes it: ModelExpress does not read it.
    package let tiedHead: String?

    package var bytes: Int { files.reduce(0) { $0 + $1.bytes } }
  }

  /// slime and ModelExpress write this level, too.
  private static let level: Int32 = 1
  /// Stored bytes after which a shard ends: readers load whole shards into memory.
  private static let shardSize = 1 << 30

  /// Rebuilds the tensors that the patch changes, checks both sides, and writes their differences.
  /// - Parameter folder: a new folder.
  /// - Throws: `refused` for a patch that does more than change values, or a folder that exists; `wrongBase`; `io`.
  package func write(to folder: String) throws -> Result {
    try requireChangesOnly()
    try OutputCheck.directory(folder)
    let directory = try OutputDirectory(path: folder)
    let files: [ExportedFile]
    do {
      files = try write(Rebuild(base, [PatchStep(patch, .forward)], work), in: directory.temporaryPath)
    } catch let error as VPatchError where error.code == .wrongBase {
      throw error.advising("give the model with root \(patch.header.baseRoot.short), which the patch was made from")
    }
    try directory.commit()
    let touched = patch.header.touched
    let head = touched.first { $0.name == "lm_head.weight" }
    return Result(
      files: files, tensors: touched.count, tunedBytes: touched.reduce(0) { $0 + ($1.target?.info.byteCount ?? 0) },
      sideFilesLeftOut: patch.annex.sideFiles.map(\.name),
      tiedHead: base.config?["tie_word_embeddings"]?.bool == true ? head?.name : nil)
  }

  private func requireChangesOnly() throws {
    let others = patch.header.touched.filter { $0.operation != .change }
    guard let first = others.first else { return }
    throw VPatchError(
      .refused, patch.label,
      "\(first.operation.verb) \"\(first.name.printable)\""
        + (others.count > 1 ? " and does such to \(Format.counted(others.count - 1, "other tensor"))" : "")
        + ", and a canonical delta only changes the bytes of tensors that the base has",
      remedy: "publish the whole model, which slime and ModelExpress read too: vpatch apply BASE "
        + "\(patch.label.printable) -o FOLDER")
  }

  /// A compressed difference in the scratch file.
  private struct Frame: Sendable {
    let name: String
    let parts: [Range<Int>]
    let checksum: String
    var info: TensorInfo {
      let count = parts.reduce(0) { $0 + $1.count }
      return TensorInfo(name: name, dtype: DType("U8")!, shape: [count], byteCount: count)
    }
  }

  private func write(_ rebuild: Rebuild, in folder: String) throws -> [ExportedFile] {
    try rebuild.checkNames(rebuild.steps[0])
    let scratch = try Scratch(OutputFile(path: Path.join(folder, "frames")))
    let touched = rebuild.touched
    let sizes = touched.map { $0.output?.info.byteCount ?? 0 }
    work.progress.begin("compressing", total: sizes.reduce(0, +))
    let frames: [Frame]
    do {
      frames = try LargestFirst.map(sizes, threads: work.threads) { i in try frame(of: touched[i], rebuild, scratch) }
      try base.requireSameBytes()
    } catch {
      // A wrong base can cause various errors. If that is the cause, this throws the right one.
      try rebuild.checkInput(full: false)
      throw error
    }
    let shards = Self.shards(frames)
    var outputs: [OutputFile] = []
    var places: [(name: String, shard: String)] = []
    for (i, shard) in shards.enumerated() {
      let name = "model-\(Self.padded(i))-of-\(Self.padded(shards.count)).safetensors"
      outputs.append(try write(shard, from: scratch.file, to: Path.join(folder, name)))
      places += shard.map { ($0.name, name) }
    }
    // The index last: slime and ModelExpress begin with it.
    let index = try OutputFile(path: Path.join(folder, SafetensorsCheckpoint.indexName))
    try index.write(Array(self.index.text(places).utf8), at: 0)
    return try (outputs + [index]).map { output in
      try output.commit()
      let file = try InputFile(path: output.path)
      return ExportedFile(name: Path.name(output.path), bytes: file.size, digest: try file.digest())
    }
  }

  private var index: DeltaIndex {
    DeltaIndex(
      version: version, baseVersion: baseVersion, checksum: .adler32,
      roots: DeltaIndex.Roots(base: patch.header.baseRoot, target: patch.header.targetRoot))
  }

  private func frame(of tensor: Rebuild.Touched, _ rebuild: Rebuild, _ scratch: Scratch) throws -> Frame {
    guard let info = tensor.output?.info, let stored = base.tensor(named: tensor.name) else {
      preconditionFailure("the patch only changes tensors of the base")
    }
    let source = base.source(of: stored)
    let compressor = ZstdCompressor(level: Self.level, contentSize: info.byteCount)
    let checksum = try index.checksum.hasher()
    var parts: [Range<Int>] = []
    func append(_ bytes: UnsafeRawBufferPointer) throws {
      let part = try scratch.append(bytes)
      if parts.last?.upperBound == part.lowerBound {
        parts[parts.count - 1] = parts[parts.count - 1].lowerBound..<part.upperBound
      } else {
        parts.append(part)
      }
    }
    try rebuild.rebuildChecked(tensor) { offset, bytes in
      checksum.update(bytes)
      let difference = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
      defer { difference.deallocate() }
      try source.read(into: difference, at: offset)
      difference.formXOR(bytes)
      try compressor.add(UnsafeRawBufferPointer(difference), append)
    }
    try compressor.finish(append)
    return Frame(name: tensor.name, parts: parts, checksum: checksum.finalize())
  }

  /// Compressed bytes of all threads, in the order in which they are ready.
  private final class Scratch: Sendable {
    let file: OutputFile
    private let used = Mutex(0)

    init(_ file: OutputFile) { self.file = file }

    func append(_ bytes: UnsafeRawBufferPointer) throws -> Range<Int> {
      let start = used.withLock { used in
        defer { used += bytes.count }
        return used
      }
      try file.write(bytes, at: start)
      return start..<start + bytes.count
    }
  }

  private static func shards(_ frames: [Frame]) -> [[Frame]] {
    var shards: [[Frame]] = []
    var size = 0
    for frame in frames {
      if shards.isEmpty || size + frame.info.byteCount > shardSize {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(frame)
      size += frame.info.byteCount
    }
    return shards
  }

  private func write(_ frames: [Frame], from scratch: OutputFile, to path: String) throws -> OutputFile {
    let text = SafetensorsHeader.text(
      for: frames.map(\.info), metadata: frames.map { JSON.Member($0.name, .string($0.checksum)) })
    let output = try OutputFile(path: path)
    try output.write([UInt8](littleEndian: UInt64(text.count)) + text, at: 0)
    var position = 8 + text.count
    for part in frames.flatMap(\.parts) {
      try output.copy(from: scratch, part, at: position)
      position += part.count
    }
    return output
  }

  private static func padded(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
