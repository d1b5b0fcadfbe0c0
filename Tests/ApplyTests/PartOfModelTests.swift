import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import Families

/// What is saved of a model that is trained on several devices, or beside one: parts, flattened or empty tensors, an
/// optimizer's state, some tensors under wrapped names. None of it becomes a patch that empties or crops the base.
@Suite("Parts of a model") struct PartOfModelTests {
  let folder: TestFolder
  let model = TestModel.llama()

  init() throws { folder = try TestFolder() }

  private func problem(
    _ tuned: [TestTensor], keys: Bool = false, _ change: (inout CreateOptions) -> Void = { _ in }
  ) throws -> ModelPair.Problem? {
    var options = CreateOptions()
    change(&options)
    try folder.file("base", model)
    try folder.file("tuned", tuned)
    let map = keys ? try KeyMap.auto(from: tuned.map(\.name), to: model.map(\.name)) : nil
    return try ModelPair(
      base: SafetensorsCheckpoint(path: folder["base"]), tuned: SafetensorsCheckpoint(path: folder["tuned"]), keys: map
    ).problem(options)
  }

  private func shaped(_ tensor: TestTensor, _ shape: [Int]) -> TestTensor {
    TestTensor(tensor.name, tensor.dtype, shape, bytes: Array(tensor.bytes.prefix(shape.reduce(2, *))))
  }

  @Test("another shape in a layer, or none: each says what saves so", arguments: 0..<6) func shapes(seed: Int) throws {
    var random = TestRandom(UInt64(seed))
    let layers = model.filter { $0.name.contains("layers.") && $0.shape.count == 2 }
    let chosen = Set(layers.shuffled(using: &random).prefix(1 + Int(random.next() % 4)).map(\.name))
    func tuned(_ shape: ([Int]) -> [Int]) -> [TestTensor] {
      model.map { chosen.contains($0.name) ? shaped($0, shape($0.shape)) : $0.tuned() }
    }
    for (tuned, word) in [
      (tuned { _ in [0] }, "zero_to_fp32.py"), (tuned { [$0[0] * $0[1]] }, "FULL_STATE_DICT"),
      (tuned { [$0[0] / 2, $0[1]] }, "give the whole tuned model"),
      (tuned { [$0[0], $0[1] / 2] }, "give the whole tuned model"),
    ] {
      let found = try #require(try problem(tuned))
      #expect(found.remedy.contains(word) && chosen.contains { found.reason.contains("\"\($0)\"") }, "\(found)")
      #expect(try problem(tuned) { $0.isPartial = true }?.remedy.contains(word) == true)
      #expect(
        try problem(tuned) {
          $0.allowsRemovals = true
          $0.allowsAdditions = true
        } == nil)
    }
    // An embedding may get rows, and is not empty.
    let embedding = model[0]
    func with(_ first: TestTensor) -> [TestTensor] { [first] + model.dropFirst() }
    #expect(try problem(with(.weights(embedding.name, [embedding.shape[0] + 3, embedding.shape[1]]))) == nil)
    #expect(try problem(with(shaped(embedding, [0])))?.remedy.contains("zero_to_fp32.py") == true)
  }

  @Test("an optimizer's state", arguments: ["exp_avg.", "exp_avg_sq.", "grad.", "delta.", "momentum."])
  func optimizers(prefix: String) throws {
    let state = model.map { $0.renamed(prefix + $0.name) }
    for keys in [false, true] {
      #expect(try problem(state, keys: keys)?.reason.contains("is an optimizer state, not a model") == true)
    }
    let behind = model.map { $0.renamed($0.name + "." + prefix.dropLast()) }
    #expect(try problem(behind)?.reason.contains("is an optimizer state, not a model") == true)
  }

  @Test(
    "some tensors under wrapped names find theirs, in any layout",
    arguments: ["base_model.model.", "_orig_mod.", "module.", "actor.", ""])
  func wrapped(prefix: String) throws {
    let names = ["lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"]
    for chosen in [[0, 1], [0, 2], [1], [0, 1, 2]] {
      let head = model + [TestTensor.weights("lm_head.weight", model[0].shape, seed: 3)]
      let map = try KeyMap.auto(from: chosen.map { prefix + names[$0] }, to: head.map(\.name))
      #expect(map.names == chosen.reduce(into: [:]) { $0[prefix + names[$1]] = names[$1] }, "\(chosen)")
    }
  }

  @Test("with --partial each tensor is one of the base's") func unpaired() throws {
    let part = [model[3].tuned(), TestTensor.weights("foo.weight", [2])]
    let found = try #require(try problem(part) { $0.isPartial = true })
    #expect(found.reason.contains("\"foo.weight\"") && found.remedy.contains("--allow-additions"))
    #expect(
      try problem(part) {
        $0.isPartial = true
        $0.allowsAdditions = true
      } == nil)
    let wrapped = [model[3].tuned(), model[4].renamed("_orig_mod." + model[4].name)]
    #expect(try problem(wrapped) { $0.isPartial = true }?.remedy == "use --map-keys auto")
  }

  @Test("an adapter beside the tuned model is not left behind") func adapterBeside() throws {
    try folder.directory("base", model)
    try folder.directory(
      "tuned", model.map { $0.tuned() }, files: ["adapter_config.json": "{}", "adapter_model.safetensors": "x"])
    let create = try Create(
      base: SafetensorsCheckpoint(path: folder["base"]), tuned: SafetensorsCheckpoint(path: folder["tuned"]),
      options: CreateOptions(),
      work: WorkOptions(threads: 1))
    #expect {
      try create.write(to: folder["p.vpatch"])
    } throws: {
      "\($0)".contains("has an adapter beside the model (adapter_config.json)")
    }
  }
}
