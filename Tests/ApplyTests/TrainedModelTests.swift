import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("What a training run saved, as the tuned side") struct TrainedModelTests {
  let folder: TestFolder
  let base: String
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"

  init() throws {
    folder = try TestFolder()
    base = Self.fixtures + "/tiny-models/tiny-llama"
  }

  private func create(
    _ tuned: String, prefix: String? = nil, as name: String = "p.vpatch",
    _ change: (inout CreateOptions) -> Void = { _ in }
  ) throws -> (Patch, CreateResult) {
    let base = try SafetensorsCheckpoint(path: base)
    let (tuned, _) = try AdapterPlan.tunedSide(tuned, adapter: nil, prefix: prefix, over: base, threads: 2) {
      try Containers.open($0)
    }
    var options = CreateOptions()
    change(&options)
    let result = try Create(base: base, tuned: tuned, options: options, work: WorkOptions(threads: 2)).write(
      to: folder[name], replacing: true)
    return (try Patch(path: folder[name]), result)
  }

  /// "model." in front of the names, an optimizer's step and a bytes item beside them.
  @Test func nestedStateDict() throws {
    let whole = try create(Self.fixtures + "/torch-training/trainable.safetensors") { $0.isPartial = true }.0
    let (patch, result) = try create(Self.fixtures + "/torch-training/dcp-nested")
    #expect(patch.identity == whole.identity)
    #expect(result.kept.count == 13 && result.recipe == .saProj)
  }

  /// The Trainer's checkpoint folder, with frozen tensors, and the folder inside it.
  @Test func trainerCheckpoint() throws {
    let patches = try ["trainer", "trainer/pytorch_model_fsdp_0"].map { name in
      try create(Self.fixtures + "/torch-training/\(name)")
    }
    #expect(patches[0].0.identity == patches[1].0.identity)
    #expect(patches[0].1.kept.isEmpty && patches[0].1.recipe == .saProj)
  }

  @Test func prefixes() throws {
    let tuned = Self.fixtures + "/torch-training/dcp-nested"
    #expect(try create(tuned, prefix: "model.").0.identity == create(tuned).0.identity)
    let none = #expect(throws: VPatchError.self) { try create(tuned, prefix: "ema.") }
    #expect(none?.remedy?.contains("\"model.\"") == true, "\(none!)")
    let flat = #expect(throws: VPatchError.self) { try create(base, prefix: "model.") }
    #expect(flat?.remedy?.contains("leave out --prefix") == true, "\(flat!)")
  }

  /// A model with its average over time, in a file of torch.save's older form.
  @Test func severalModels() throws {
    let saved = try LegacyTorchWriter.write(
      ["model", "ema"].flatMap { part in
        [("\(part).model.norm.weight", [UInt16](repeating: part == "model" ? 0x3F80 : 0x4000, count: 64))]
      }, to: folder["run.pt"])
    let error = #expect(throws: VPatchError.self) { try create(saved) { $0.isPartial = true } }
    #expect(error?.reason.contains("several models") == true, "\(error!)")
    let remedy = try #require(error?.remedy)
    let prefix = try #require(remedy.split(separator: " ").last).description
    #expect(remedy.hasSuffix("--prefix \(prefix)"))
    _ = try create(saved, prefix: prefix) { $0.isPartial = true }
    _ = try create(saved, prefix: "ema.") { $0.isPartial = true }
  }

  /// transformers' state dict has a tied head under both names, and the file has it once.
  @Test(arguments: [false, true]) func tiedHead(isTied: Bool) throws {
    let model = TestModel.llama().filter { !$0.name.hasPrefix("lm_head") }
    try folder.file("base", model)
    let embedding = try #require(model.first { $0.name.contains("embed_tokens") }).tuned()
    var head = isTied ? embedding : embedding.tuned()
    head.name = "lm_head.weight"
    func values(_ tensor: TestTensor) -> [UInt16] {
      tensor.bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    }
    let saved = try LegacyTorchWriter.write(
      [("model.\(embedding.name)", values(embedding)), ("model.lm_head.weight", values(head))], to: folder["run.pt"],
      shape: embedding.shape)
    let base = try SafetensorsCheckpoint(path: folder["base"])
    let (tuned, _) = try AdapterPlan.tunedSide(saved, adapter: nil, over: base, threads: 2) { try Containers.open($0) }
    #expect(tuned.tensors.map(\.name) == (isTied ? [embedding.name] : ["lm_head.weight", embedding.name]))
  }

  /// PyTorch leaves out the frozen embedding, and saves it all the same as the head that is tied to it.
  @Test(arguments: [false, true]) func frozenHead(isFrozen: Bool) throws {
    let model = TestModel.llama().filter { !$0.name.hasPrefix("lm_head") }
    try folder.file("base", model)
    let embedding = try #require(model.first { $0.name.contains("embed_tokens") })
    let head = isFrozen ? embedding : embedding.tuned()
    func values(_ tensor: TestTensor) -> [UInt16] {
      tensor.bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    }
    let saved = try LegacyTorchWriter.write([("lm_head.weight", values(head))], to: folder["run.pt"], shape: head.shape)
    let base = try SafetensorsCheckpoint(path: folder["base"])
    let found = try Containers.open(saved)
    let part = try TrainedModel.find(in: #require(found as? AssembledCheckpoint), over: base, prefix: "")
    #expect(part.tensors.map(\.name) == (isFrozen ? [] : ["lm_head.weight"]))
  }
}

/// Writes a state dict in the older form of torch.save.
private enum LegacyTorchWriter {
  static func write(_ tensors: [(name: String, values: [UInt16])], to path: String, shape: [Int]? = nil) throws
    -> String
  {
    func number<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    func string(_ text: String) -> [UInt8] { [0x58] + number(UInt32(text.utf8.count)) + Array(text.utf8) }
    func tuple(_ values: [Int]) -> [UInt8] { [0x28] + values.flatMap { [0x4A] + number(Int32($0)) } + [0x74] }
    func global(_ text: String) -> [UInt8] { Array("c\(text)\n".utf8) }
    var object: [UInt8] = [0x80, 2, 0x7D]
    var (keys, storages): ([UInt8], [UInt8]) = ([0x80, 2, 0x5D], [])
    for (i, (name, values)) in tensors.enumerated() {
      let shape = shape ?? [values.count]
      let strides = shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
      let identifier =
        [0x28] + string("storage") + global("torch\nBFloat16Storage") + string("\(i)") + string("cpu")
        + [0x4A] + number(Int32(values.count)) + [0x4E, 0x74, 0x51]
      let call =
        global("torch._utils\n_rebuild_tensor_v2") + [0x28] + identifier + [0x4B, 0] + tuple(shape)
        + tuple(strides) + [0x89] + global("collections\nOrderedDict") + [0x29, 0x52, 0x74, 0x52]
      object += string(name) + call + [0x73]
      keys += string("\(i)") + [0x61]
      storages += number(UInt64(values.count)) + values.flatMap(number)
    }
    let start: [UInt8] = [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
    let system = [0x80, 2, 0x7D] + string("little_endian") + [0x88, 0x73, 0x2E]
    let bytes = start + [0x80, 2, 0x4D, 0xE9, 3, 0x2E] + system + object + [0x2E] + keys + [0x2E] + storages
    try Data(bytes).write(to: URL(filePath: path))
    return path
  }
}
