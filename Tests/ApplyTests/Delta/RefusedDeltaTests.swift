import CZstd
import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Canonical deltas that are refused") struct RefusedDeltaTests {
  let scene: DeltaScene
  let tuned: [TestTensor]

  init() throws {
    scene = try DeltaScene()
    tuned = scene.base.tuned("self_attn.")
  }

  private var frames: [DeltaScene.Frame] { scene.frames(tuned) }

  /// Expects that no patch can be made of the delta, and that none is left behind.
  private func refused(
    _ code: VPatchError.Code, _ words: String..., over base: String? = nil, at line: SourceLocation = #_sourceLocation
  ) throws {
    let error = #expect(throws: VPatchError.self, sourceLocation: line) {
      try scene.create(scene.folder["delta"], over: base)
    }
    guard let error else { return }
    #expect(error.code == code, "\(error)", sourceLocation: line)
    for word in words { #expect(error.description.contains(word), "\(error)", sourceLocation: line) }
    #expect(error.remedy != nil || error.code == .invalid, "\(error)", sourceLocation: line)
    #expect(!scene.folder.exists("delta.vpatch"), sourceLocation: line)
  }

  @Test("as it is, it is read") func control() throws {
    try scene.write(frames)
    #expect(try scene.create(scene.folder["delta"]).header.touched.count == frames.count)
  }

  @Test("other kinds of deltas") func kinds() throws {
    try scene.write(frames, scene.metadata(["delta_encoding": .string("overwrite")]))
    try refused(.refused, "overwrite", "--update-weight-delta-encoding xor")
    try scene.write(frames, scene.metadata(["compression_format": .string("lz4")]))
    try refused(.refused, "lz4", "zstd")
    for kind in ["blake3", "sha256"] {
      try scene.write(frames, scene.metadata(["checksum_format": .string(kind)]))
      try refused(.refused, kind, "adler32", "--update-weight-delta-checksum")
    }
  }

  @Test("an index that lies, or is no index") func index() throws {
    try scene.write(frames, scene.metadata(["version": nil]))
    try refused(.invalid, "has no \"version\"")
    try scene.write(frames, scene.metadata(["base_version": .string("")]))
    try refused(.invalid, "base_version")
    try scene.write(frames, weightMap: .object([]))
    try refused(.refused, "changes no tensor")
    for name in ["../delta/model-00000-of-00001.safetensors", "/etc/passwd", "..", "a/b.safetensors"] {
      try scene.write(frames, weightMap: .object(frames.map { JSON.Member($0.name, .string(name)) }))
      try refused(.invalid, "not a plain file name")
    }
    try scene.write(frames, weightMap: .object([JSON.Member(frames[0].name, .string("absent.safetensors"))]))
    try refused(.io, "absent.safetensors")
    let shard = JSON.string("model-00000-of-00001.safetensors")
    try scene.write(frames, weightMap: .object(frames.dropLast().map { JSON.Member($0.name, shard) }))
    try refused(.invalid, "does not place the tensor")
    try scene.write(frames, weightMap: .object((frames.map(\.name) + ["more"]).map { JSON.Member($0, shard) }))
    try refused(.invalid, "\"more\"")
    try scene.folder.write("delta/model.safetensors.index.json", "{\"metadata\": {\"delta_encoding\": \"xor\",")
    // No JSON, so it is not recognised as a delta. It is no model either.
    try refused(.invalid, "not valid JSON")
  }

  @Test("files that are not the index's: another shard, a link out of the folder") func files() throws {
    try scene.write(frames)
    try scene.folder.file("delta/stale.safetensors", [scene.base[0]])
    try refused(.refused, "stale.safetensors", "slime applies every")
    try FileManager.default.removeItem(atPath: scene.folder["delta/stale.safetensors"])
    let shard = scene.folder["delta/model-00000-of-00001.safetensors"]
    try FileManager.default.moveItem(atPath: shard, toPath: scene.folder["outside.safetensors"])
    try FileManager.default.createSymbolicLink(atPath: shard, withDestinationPath: scene.folder["outside.safetensors"])
    try refused(.refused, "outside of the delta's folder")
  }

  @Test("frames that lie") func lyingFrames() throws {
    func write(_ change: (inout DeltaScene.Frame) -> Void) throws {
      var frames = self.frames
      change(&frames[1])
      try scene.write(frames)
    }
    try write { $0.checksum = nil }
    try refused(.invalid, "no checksum")
    try write { $0.checksum = "0badf00d" }
    try refused(.wrongBase, "0badf00d", "000000")
    try write { $0.dtype = "I8" }
    try refused(.invalid, "I8")
    try write { $0.bytes = [1, 2, 3, 4, 5, 6, 7, 8] }
    try refused(.invalid, "not a zstd frame")
    try write { $0.bytes.removeLast(3) }
    try refused(.invalid, "zstd frame")
    try write { $0.bytes += [0] }
    try refused(.invalid, "other bytes behind")
    try write { $0.bytes += $0.bytes }
    try refused(.invalid, "other bytes behind")
    // A gigabyte of zeros in a few kilobytes, with its size in the header, and without.
    let bomb = [UInt8](repeating: 0, count: 1 << 30).withUnsafeBytes { Zstd.compress($0, level: 1, windowLog: 20) }
    try write { $0.bytes = bomb }
    try refused(.invalid, "\(1 << 30) bytes, not of")
    try write { $0.bytes = Self.frame([UInt8](repeating: 0, count: 1 << 20), windowLog: 20) }
    try refused(.invalid, "of more than")
    try write { $0.bytes = Self.frame([0, 0], windowLog: 20) }
    try refused(.invalid, "of fewer than")
    try write { $0.bytes = Self.frame([UInt8](repeating: 0, count: 512), windowLog: 27) }
    try refused(.invalid, "window is larger")
  }

  /// A frame that does not say how long its content is.
  private static func frame(_ bytes: [UInt8], windowLog: Int32) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)
    let bound = ZSTD_compressBound(bytes.count)
    return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      // In two steps: with all of it at once zstd would write the size's window.
      var source = ZSTD_inBuffer(src: bytes, size: bytes.count, pos: 0)
      var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: bound, pos: 0)
      bytes.withUnsafeBytes {
        source.src = $0.baseAddress
        ZSTD_compressStream2(context, &target, &source, ZSTD_e_continue)
        ZSTD_compressStream2(context, &target, &source, ZSTD_e_end)
      }
      count = target.pos
    }
  }

  @Test("a delta cut short at any byte, or with any byte of it changed, gives no patch of other tensors")
  func damage() throws {
    let patch = try scene.create(scene.folder.file("tuned.safetensors", tuned), as: "tuned.vpatch")
    try scene.write(frames)
    let shard = "delta/model-00000-of-00001.safetensors"
    let whole = try scene.folder.bytes(shard)
    var random = TestRandom(11)
    for _ in 0..<60 {
      var bytes = whole
      if Bool.random(using: &random) {
        bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
      } else {
        bytes[Int.random(in: bytes.indices, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
      }
      try scene.folder.write(shard, bytes)
      do {
        // A byte that says nothing, such as one of the header's padding, may change.
        #expect(try scene.create(scene.folder["delta"]).identity == patch.identity)
      } catch is VPatchError {}
    }
  }

  @Test("another base: other values, tensors that it lacks, or other tensors than those that change")
  func wrongBase() throws {
    try scene.write(frames)
    let other = try scene.folder.file("other.safetensors", scene.base.tuned("q_proj", seed: 9))
    try refused(.wrongBase, "other.safetensors", "give the model of version 000000", over: other)
    let less = try scene.folder.file("less.safetensors", scene.base.without("q_proj"))
    try refused(.wrongBase, "q_proj", over: less)
    // A delta by vpatch has the root of its base.
    let patch = try scene.create(scene.folder.file("tuned.safetensors", tuned), as: "p.vpatch")
    try FileManager.default.removeItem(atPath: scene.folder["delta"])
    _ = try scene.export(patch, to: "delta")
    let elsewhere = try scene.folder.file("elsewhere.safetensors", scene.base.tuned("mlp"))
    try refused(.wrongBase, patch.header.baseRoot.short, over: elsewhere)
    #expect(try scene.create(scene.folder["delta"]).identity == patch.identity)
  }

  @Test("it is no model, and no patch") func noModel() throws {
    try scene.write(frames)
    let error = try #require(throws: VPatchError.self) { try SafetensorsCheckpoint(path: scene.folder["delta"]) }
    #expect(error.reason.contains("canonical delta") && error.remedy?.contains("vpatch create BASE") == true)
  }
}
