import Base
import Checkpoints
import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply

/// Adapters extracted from patches. Needs OpenBLAS, which scripts/install-deps.sh installs.
@Suite("Extracting an adapter") struct ExtractionTests {
  private let folder: TestFolder
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../../fixtures"

  init() throws { folder = try TestFolder() }

  /// A patch between two checkpoints.
  private func patch(_ base: String, _ tuned: String, _ name: String = "p") throws -> (Patch, SafetensorsCheckpoint) {
    let base = try SafetensorsCheckpoint(path: base)
    let path = folder["\(name).vpatch"]
    _ = try Create(
      base: base, tuned: SafetensorsCheckpoint(path: tuned), options: CreateOptions(), work: WorkOptions(threads: 2)
    ).write(to: path)
    return (try Patch(path: path), base)
  }

  private func extract(
    _ patch: Patch, _ base: SafetensorsCheckpoint, _ size: AdapterExtraction.Size, to name: String = "adapter"
  ) throws -> AdapterExtraction.Result {
    try AdapterExtraction(patch, over: base, size, work: WorkOptions(threads: 2)).write(to: folder[name])
  }

  @Test("errors within 1 % of NumPy's optimum, on real fine-tunes", arguments: ["sa-proj", "gate-up"])
  func optimum(name: String) throws {
    let pair = Self.fixtures + "/pair"
    let (patch, base) = try patch("\(pair)/base.safetensors", "\(pair)/tuned-\(name).safetensors")
    let known = try #require(
      JSON.parse(Array(Data(contentsOf: URL(filePath: "\(pair)/extraction.json"))))[name]?.object)
    for rank in [4, 16, 64] {
      let result = try extract(patch, base, .rank(rank), to: "rank-\(rank)")
      #expect(result.matrices.count == known.count && result.whole.isEmpty)
      for member in known {
        let matrix = try #require(result.matrices.first { $0.name == member.key })
        let optimum = try #require(member.value["\(rank)"]?.double)
        #expect(matrix.relativeError >= optimum * 0.999_999 && matrix.relativeError < optimum * 1.000_1)
        #expect(matrix.rank == rank)
      }
    }
  }

  @Test("the smallest rank that leaves a given error") func error() throws {
    let pair = Self.fixtures + "/pair"
    let (patch, base) = try patch("\(pair)/base.safetensors", "\(pair)/tuned-gate-up.safetensors")
    let result = try extract(patch, base, .error(0.5))
    for matrix in result.matrices {
      #expect(matrix.relativeError <= 0.5)
      let less = try extract(patch, base, .rank(matrix.rank - 1), to: "less-\(matrix.rank)")
      #expect(less.matrices.first { $0.name == matrix.name }!.relativeError > 0.5)
    }
    #expect(Set(result.matrices.map(\.rank)).count > 1)
    // The adapter reads as one: ranks and scales by module.
    let adapter = try PEFTAdapter(path: folder["adapter"])
    for matrix in result.matrices {
      let module = String(matrix.name.dropLast(".weight".count))
      #expect(adapter.config.rank(of: module) == matrix.rank && adapter.config.scale(of: module) == 1)
    }
  }

  /// Writes a fine-tune of a tiny model.
  private func tune(
    _ name: String, _ change: (_ tensor: String, _ values: inout [UInt16], _ shape: inout [Int]) -> Void
  ) throws -> (base: String, tuned: String) {
    let base = try TinyModel(name).folder
    let checkpoint = try SafetensorsCheckpoint(path: base)
    var tensors: [(TensorInfo, [UInt8])] = []
    for tensor in checkpoint.tensors {
      let bytes = try checkpoint.source(of: tensor).bytes()
      var values = bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
      var shape = tensor.info.shape
      change(tensor.name, &values, &shape)
      let new = values.withUnsafeBytes { Array($0) }
      tensors.append((TensorInfo(name: tensor.name, dtype: tensor.info.dtype, shape: shape, byteCount: new.count), new))
    }
    let header = SafetensorsHeader.text(for: tensors.map(\.0), metadata: [])
    try folder.write("tuned/config.json", try Data(contentsOf: URL(filePath: base + "/config.json")).map { $0 })
    try folder.write(
      "tuned/model.safetensors", [UInt8](littleEndian: UInt64(header.count)) + header + tensors.flatMap(\.1))
    return (base, folder["tuned"])
  }

  @Test("norms, biases, embeddings, and a grown vocabulary are saved whole, and come back")
  func whole() throws {
    let paths = try tune("tiny-qwen2") { name, values, shape in
      if name.hasSuffix("q_proj.weight") || name.hasSuffix("q_proj.bias") || name == "model.norm.weight" {
        for i in stride(from: 0, to: values.count, by: 3) { values[i] ^= 0x20 }
      }
      if name == "model.embed_tokens.weight" || name == "lm_head.weight" {
        values += values.prefix(2 * shape[1])
        shape[0] += 2
      }
    }
    let (patch, base) = try patch(paths.base, paths.tuned)
    let result = try extract(patch, base, .rank(8))
    #expect(result.matrices.count == 2)
    #expect(result.whole.contains("model.norm.weight") && result.whole.contains("model.layers.0.self_attn.q_proj.bias"))
    #expect(result.resized.map(\.name).contains("model.embed_tokens.weight"))
    let config = try JSON.parse(Array(Data(contentsOf: URL(filePath: folder["adapter/adapter_config.json"]))))
    #expect(config["bias"]?.string == "lora_only")
    let saved = config["modules_to_save"]?.array?.compactMap(\.string) ?? []
    #expect(saved.contains("model.norm") && saved.contains("model.embed_tokens"))
    let adapter = try SafetensorsCheckpoint(path: folder["adapter/adapter_model.safetensors"])
    let tuned = try SafetensorsCheckpoint(path: paths.tuned)
    for (key, name) in [
      ("base_model.model.model.norm.weight", "model.norm.weight"),
      ("base_model.model.model.embed_tokens.weight", "model.embed_tokens.weight"),
      (
        "base_model.model.model.layers.1.self_attn.q_proj.base_layer.bias", "model.layers.1.self_attn.q_proj.bias"
      ),
    ] {
      let one = try StoredTensor(try #require(adapter.tensor(named: key), "\(key)"), in: adapter).bytes()
      #expect(one == (try StoredTensor(try #require(tuned.tensor(named: name)), in: tuned).bytes()))
    }
  }

  @Test("what 'create' makes of the adapter differs from the tuned model by the error that was said") func create()
    throws
  {
    let paths = try tune("tiny-llama") { name, values, _ in
      guard name.contains("mlp.down_proj") || name.contains("mlp.up_proj") else { return }
      for i in values.indices where i % 5 < 2 { values[i] ^= 0x40 }
    }
    let (patch, base) = try patch(paths.base, paths.tuned)
    let result = try extract(patch, base, .rank(12))
    let adapter = try PEFTAdapter(path: folder["adapter"])
    let merged = AdaptedCheckpoint(try AdapterPlan(adapter, over: base))
    let tuned = try SafetensorsCheckpoint(path: paths.tuned)
    for matrix in result.matrices {
      func values(_ source: any TensorSource) throws -> [Double] {
        try source.bytes().withUnsafeBytes {
          $0.bindMemory(to: UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
        }
      }
      let (a, b) = try (
        values(merged.source(of: base.tensor(named: matrix.name)!)),
        values(tuned.source(of: tuned.tensor(named: matrix.name)!))
      )
      let left = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
      // The merged model is rounded to bf16.
      let size = b.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(abs(left - matrix.error) < 0.01 * matrix.error + size / 256, "\(left) \(matrix.error)")
      #expect(matrix.error > 0 && matrix.error < matrix.norm)
    }
    // Tall and wide matrices.
    #expect(Set(result.matrices.map { $0.name.contains("down_proj") }) == [true, false])
  }

  @Test("another base, and what an adapter cannot be, are refused by name") func refused() throws {
    let pair = Self.fixtures + "/pair"
    let (patch, base) = try patch("\(pair)/base.safetensors", "\(pair)/tuned-sa-proj.safetensors")
    func message(_ body: () throws -> Void) -> String {
      let error = #expect(throws: VPatchError.self, performing: body)
      return error.map { "\($0.code) \($0.description)" } ?? ""
    }
    for size in [AdapterExtraction.Size.rank(0), .rank(-1), .rank(2000)] {
      #expect(message { _ = try extract(patch, base, size) }.contains("refused --rank is"))
    }
    for size in [AdapterExtraction.Size.error(0), .error(1), .error(-1), .error(.nan)] {
      #expect(message { _ = try extract(patch, base, size) }.contains("refused --error is"))
    }
    let large = message { _ = try extract(patch, base, .rank(1000)) }
    #expect(large.contains("larger than its smaller side") && large.contains("use --rank 192 or less"), "\(large)")
    let other = try SafetensorsCheckpoint(path: "\(pair)/tuned-sa-proj.safetensors")
    #expect(message { _ = try extract(patch, other, .rank(4)) }.contains("is not the base of"))
    #expect(!folder.exists("adapter"))
    let removed = try tune("tiny-llama") { name, values, shape in
      if name.contains("q_proj") { values[0] ^= 1 }
      if name == "model.layers.0.mlp.up_proj.weight" { values[1] = 0x7FC0 }
    }
    let (bad, own) = try self.patch(removed.base, removed.tuned, "bad")
    #expect(message { _ = try extract(bad, own, .rank(4)) }.contains("not finite numbers"))
    #expect(!folder.exists("adapter"))
  }
}
