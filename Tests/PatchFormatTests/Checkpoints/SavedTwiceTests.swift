import Foundation
import TestModels
import Testing

@testable import Base
@testable import Checkpoints

/// A folder with model.safetensors and an index beside it, and files that no index names.
@Suite("Folders that were saved twice") struct SavedTwiceTests {
  let folder: TestFolder
  let model = TestModel.llama()
  var tuned: [TestTensor] { model.tuned(TestModel.attention) }

  /// `m`: shards of the model with their index.
  init() throws {
    folder = try TestFolder()
    try folder.directory("m", model, shards: 2)
  }

  private func tensors(_ reading: SafetensorsCheckpoint.Reading) throws -> [TestTensor] {
    try SafetensorsCheckpoint(path: folder["m"], reading: reading).testTensors()
  }

  private func refusal(_ reading: SafetensorsCheckpoint.Reading) -> VPatchError? {
    do { _ = try SafetensorsCheckpoint(path: folder["m"], reading: reading) } catch { return error as? VPatchError }
    return nil
  }

  private var sorted: (model: [TestTensor], tuned: [TestTensor]) {
    get throws {
      try folder.file("a.safetensors", model)
      try folder.file("b.safetensors", tuned)
      return try (folder.testTensors("a.safetensors"), folder.testTensors("b.safetensors"))
    }
  }

  @Test("an index of the single file alone is no second model") func indexOfSingle() throws {
    try folder.directory("one", model)
    let map = model.map { "\"\($0.name)\": \"model.safetensors\"" }.joined(separator: ", ")
    try folder.write("one/model.safetensors.index.json", "{\"metadata\": {}, \"weight_map\": {\(map)}}")
    for reading in [SafetensorsCheckpoint.Reading.specified, .transformers, .unambiguous] {
      let checkpoint = try SafetensorsCheckpoint(path: folder["one"], reading: reading)
      #expect(try !checkpoint.isSavedTwice && checkpoint.warning() == nil)
    }
  }

  @Test("whole twice, and another model: each reading takes its own, or refuses") func differing() throws {
    try folder.file("m/model.safetensors", tuned)
    let (model, tuned) = try sorted
    #expect(try tensors(.specified) == model && tensors(.transformers) == tuned)
    let error = try #require(refusal(.unambiguous))
    #expect(error.code == .refused && error.reason.contains("\"model.layers.0.self_attn.k_proj.weight\" differs"))
    #expect(error.remedy?.contains("remove model.safetensors.index.json") == true)
    #expect(error.remedy?.contains("and remove model.safetensors") == true)
    let warnings = try [SafetensorsCheckpoint.Reading.specified, .transformers].map {
      try SafetensorsCheckpoint(path: folder["m"], reading: $0).warning()
    }
    #expect(warnings[0]?.hasSuffix("not read (remove them if they are stale): model.safetensors") == true)
    #expect(
      warnings[1]?.hasSuffix(
        "model-00001-of-00002.safetensors, model-00002-of-00002.safetensors, model.safetensors.index.json") == true)
    // Both ways out.
    try FileManager.default.removeItem(atPath: folder["m/model.safetensors"])
    #expect(try tensors(.unambiguous) == model)
    try folder.file("m/model.safetensors", tuned)
    try FileManager.default.removeItem(atPath: folder["m/model.safetensors.index.json"])
    #expect(try tensors(.unambiguous) == tuned)
  }

  @Test("whole twice, and the same: no reading minds") func same() throws {
    try folder.file("m/model.safetensors", model)
    let (model, _) = try sorted
    for reading in [SafetensorsCheckpoint.Reading.specified, .transformers, .unambiguous] {
      #expect(try tensors(reading) == model)
    }
    #expect(try SafetensorsCheckpoint(path: folder["m"], reading: .unambiguous).files.count == 2)
  }

  @Test("what differs: a bit, a name, a shape, a tensor more or less") func differences() throws {
    func check(_ other: [TestTensor]) throws {
      try folder.file("m/model.safetensors", other)
      #expect(refusal(.unambiguous)?.reason.contains("differs from the shards") == true)
    }
    var last = model
    var bytes = last[last.count - 1].bytes
    bytes[bytes.count - 1] ^= 1
    last[last.count - 1] = TestTensor(
      last[last.count - 1].name, last[last.count - 1].dtype, last[last.count - 1].shape, bytes: bytes)
    try check(last)
    try check(model.dropLast())
    try check(Array(model.dropFirst()))
    try check(model + [.weights("zzz", [2])])
    try check([.weights("aaa", [2])] + model)
    try check([TestTensor(model[0].name, "F16", model[0].shape, bytes: model[0].bytes)] + model.dropFirst())
  }

  @Test("shards that are missing, an index that is none: the single file is taken or both ways out are named")
  func broken() throws {
    try folder.file("m/model.safetensors", tuned)
    let (_, tuned) = try sorted
    let index = try folder.bytes("m/model.safetensors.index.json")
    func check(_ reason: String) throws {
      #expect(try tensors(.transformers) == tuned)
      for reading in [SafetensorsCheckpoint.Reading.specified, .unambiguous] {
        let error = refusal(reading)
        #expect(error?.code == .refused && error?.reason.contains(reason) == true, "\(error?.description ?? "taken")")
        #expect(
          error?.remedy?.contains("if model.safetensors is the model, remove model.safetensors.index.json") == true)
      }
    }
    try folder.write("m/model.safetensors.index.json", "{")
    try check("model.safetensors.index.json is not valid JSON")
    try folder.write("m/model.safetensors.index.json", #"{"weight_map": {"a": "../x.safetensors"}}"#)
    try check("which is not a plain file name")
    try folder.write("m/model.safetensors.index.json", index)
    try FileManager.default.removeItem(atPath: folder["m/model-00002-of-00002.safetensors"])
    try check("names the shard \"model-00002-of-00002.safetensors\"")
    try FileManager.default.removeItem(atPath: folder["m/model-00001-of-00002.safetensors"])
    try check("names the shard \"model-00001-of-00002.safetensors\"")
  }

  @Test("a single file that is cut short: transformers would take it, so it is not passed over") func single() throws {
    let path = try folder.file("m/model.safetensors", tuned)
    #expect(truncate(path, 100) == 0)
    #expect(try tensors(.specified) == sorted.model)
    for reading in [SafetensorsCheckpoint.Reading.transformers, .unambiguous] {
      #expect(refusal(reading)?.reason.contains("model.safetensors is cut short") == true)
      #expect(
        refusal(reading)?.remedy?.contains("if the shards are, complete them and remove model.safetensors") == true)
    }
  }

  @Test("an index without any of its files, and nothing else") func bare() throws {
    for name in try folder.names(in: "m") where name.hasPrefix("model-") {
      try FileManager.default.removeItem(atPath: folder["m/\(name)"])
    }
    for reading in [SafetensorsCheckpoint.Reading.specified, .transformers, .unambiguous] {
      #expect(refusal(reading)?.description.contains("names the shard") == true)
    }
  }

  @Test("shards without an index are not to be taken one by one") func withoutIndex() throws {
    try FileManager.default.removeItem(atPath: folder["m/model.safetensors.index.json"])
    let error = refusal(.specified)
    #expect(error?.reason.contains("and no model.safetensors.index.json") == true)
    #expect(error?.remedy == "download or save model.safetensors.index.json with them")
  }

  @Test("weights that are not read are named, whoever left them") func strays() throws {
    #expect(try SafetensorsCheckpoint(path: folder["m"]).warning() == nil)
    let names = [
      "adapter_model.safetensors", "consolidated.00.pth", "consolidated.safetensors",
      "model-00001-of-00003.safetensors", "model-q4.gguf", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin",
    ]
    for name in names + ["training_args.bin", "optimizer.pt", "tokenizer.model", ".hidden.safetensors"] {
      try folder.write("m/\(name)", "x")
    }
    for reading in [SafetensorsCheckpoint.Reading.specified, .transformers, .unambiguous] {
      #expect(try SafetensorsCheckpoint(path: folder["m"], reading: reading).filesNotRead() == names)
    }
    let warning = try SafetensorsCheckpoint(path: folder["m"]).warning()
    #expect(warning == "\(folder["m"]) holds weights that are not read: \(names.joined(separator: ", "))")
  }

  @Test("who a model is does not depend on what lies beside it") func root() throws {
    func root() throws -> ContentDigest {
      let checkpoint = try SafetensorsCheckpoint(path: folder["m"])
      return try ContentDigest.root(
        of: checkpoint.tensors.map { ($0.name, try StoredTensor($0, in: checkpoint).fingerprint()) })
    }
    let before = try root()
    try folder.file("m/model.safetensors", tuned)
    try folder.file("m/consolidated.safetensors", tuned)
    #expect(try root() == before)
  }

  @Test("a model that changes meanwhile is found out, in either reading") func changed() throws {
    try folder.file("m/model.safetensors", tuned)
    let checkpoint = try SafetensorsCheckpoint(path: folder["m"], reading: .transformers)
    try checkpoint.requireStillThere()
    try folder.file("m/model.safetensors", model)
    #expect(try checkpoint.changedFile() == folder["m/model.safetensors"])
  }
}
