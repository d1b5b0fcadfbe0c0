import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

/// A base, and canonical deltas of it that a test writes by itself.
struct DeltaScene {
  let folder: TestFolder
  let base: [TestTensor]
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../../fixtures/canonical-delta"

  init(_ base: [TestTensor] = TestModel.llama(layers: 1)) throws {
    folder = try TestFolder()
    self.base = base
    try folder.file("base.safetensors", base)
  }

  /// A changed tensor as a delta has it.
  struct Frame {
    let name: String
    var bytes: [UInt8]
    var checksum: String?
    var dtype = "U8"

    init(_ old: TestTensor, _ new: TestTensor) {
      name = old.name
      let difference = zip(old.bytes, new.bytes).map { $0 ^ $1 }
      bytes = difference.withUnsafeBytes { Zstd.compress($0, level: 1, windowLog: 20) }
      let hasher = try! DeltaChecksum.adler32.hasher()
      new.bytes.withUnsafeBytes { hasher.update($0) }
      checksum = hasher.finalize()
    }
  }

  /// Frames of all tensors that differ.
  func frames(_ tuned: [TestTensor]) -> [Frame] { zip(base, tuned).filter { $0 != $1 }.map { Frame($0, $1) } }

  /// The members of an index's metadata. Another value replaces one of these, nil leaves it out.
  func metadata(_ changes: KeyValuePairs<String, JSON?> = [:]) -> JSON {
    changes.reduce(
      .dictionary([
        "version": .string("000001"), "base_version": .string("000000"), "delta_encoding": .string("xor"),
        "compression_format": .string("zstd"), "checksum_format": .string("adler32"),
      ])
    ) { $0.setting($1.key, to: $1.value) }
  }

  /// Writes a delta of one shard.
  func write(_ frames: [Frame], _ metadata: JSON? = nil, weightMap: JSON? = nil) throws {
    let shard = "model-00000-of-00001.safetensors"
    try folder.file(
      "delta/\(shard)", frames.map { TestTensor($0.name, $0.dtype, [$0.bytes.count], bytes: $0.bytes) },
      metadata: frames.compactMap { frame in frame.checksum.map { (frame.name, $0) } })
    let map = JSON.object(frames.map { JSON.Member($0.name, .string(shard)) })
    try writeIndex(JSON.dictionary(["metadata": metadata ?? self.metadata(), "weight_map": weightMap ?? map]))
  }

  func writeIndex(_ json: JSON) throws { try folder.write("delta/model.safetensors.index.json", json.pretty()) }

  /// Makes a patch of a checkpoint, an adapter or a delta, as `vpatch create` does.
  @discardableResult
  func create(
    _ tuned: String, over base: String? = nil, as name: String = "delta.vpatch", threads: Int = 2
  ) throws -> Patch {
    let base = try SafetensorsCheckpoint(path: base ?? folder["base.safetensors"])
    let (side, _) = try AdapterPlan.tunedSide(tuned, adapter: nil, over: base, threads: threads) {
      try Containers.open($0)
    }
    _ = try Create(base: base, tuned: side, options: CreateOptions(), work: WorkOptions(threads: threads))
      .write(to: folder[name], replacing: true)
    return try Patch(path: folder[name])
  }

  /// Exports a patch of the base.
  func export(_ patch: Patch, to name: String, threads: Int = 2, over base: String? = nil) throws -> DeltaExport.Result
  {
    try DeltaExport(
      patch, over: SafetensorsCheckpoint(path: base ?? folder["base.safetensors"]), version: "7", baseVersion: "6",
      work: WorkOptions(threads: threads)
    ).write(to: folder[name])
  }
}
