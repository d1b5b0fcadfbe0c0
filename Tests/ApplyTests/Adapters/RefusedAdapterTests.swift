import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Adapters that are refused, by name") struct RefusedAdapterTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func refusal(_ adapter: String, base: String) throws -> VPatchError {
    let base = try SafetensorsCheckpoint(path: base)
    return try #require(throws: VPatchError.self) { try AdapterPlan(PEFTAdapter(path: adapter), over: base) }
  }

  /// Other kinds of adapters, as PEFT saves them.
  static let kinds = [
    ("adalora", "ADALORA"), ("dora", "DoRA"), ("ia3", "IA3"), ("olora", "olora"), ("pissa", "pissa"),
    ("prompt", "PROMPT_TUNING"), ("tied-both", "lm_head.weight"),
  ]

  @Test("other kinds than LoRA", arguments: kinds)
  func kind(name: String, word: String) throws {
    let path = "\(AdapterFixture.folder)/adapters/refused/\(name)"
    let error = try refusal(path, base: "\(AdapterFixture.folder)/adapters/bases/qwen2")
    #expect(error.code == .refused && error.reason.contains(word), "\(error)")
    // PEFT cannot merge what changes no weights.
    let isMergeable = name != "prompt"
    #expect(error.remedy?.contains("merge_and_unload") == isMergeable, "\(error)")
  }

  /// A copy of the adapter `plain` with another config.
  private func adapter(_ change: (inout [String: JSON]) -> Void) throws -> String {
    let fixture = AdapterFixture.named("plain")
    let config = try JSON.parse(InputFile.contents(of: "\(fixture.adapter)/adapter_config.json", limit: 1 << 20))
    var members = Dictionary(uniqueKeysWithValues: config.object!.map { ($0.key, $0.value) })
    change(&members)
    try folder.write("a/adapter_config.json", JSON.object(members.map { JSON.Member($0.key, $0.value) }).compact())
    try folder.write("a/adapter_model.safetensors", folder.bytes("\(fixture.adapter)/adapter_model.safetensors"))
    return folder["a"]
  }

  static let lies: [(String, JSON, String)] = [
    ("r", .integer(8), "rank 4"), ("r", .string("4"), "\"r\""), ("r", .integer(0), "\"r\""),
    ("r", .integer(100_000), "\"r\""), ("r", .number("4.0"), "\"r\""), ("lora_alpha", .string("8"), "lora_alpha"),
    ("lora_alpha", .bool(true), "lora_alpha"), ("lora_alpha", .number("1e999"), "lora_alpha"),
    ("use_rslora", .string("false"), "use_rslora"), ("rank_pattern", .array([]), "rank_pattern"),
    ("rank_pattern", .object([JSON.Member("q_proj", .integer(2))]), "rank 4"),
    ("rank_pattern", .object([JSON.Member("q_proj", .number("-2"))]), "rank_pattern"),
    ("rank_pattern", .object([JSON.Member("(", .integer(4))]), "regular expression"),
    ("alpha_pattern", .object([JSON.Member("q_proj", .string("8"))]), "alpha_pattern"),
    ("peft_type", .string("lora"), "lora"), ("peft_type", .null, "peft_type"),
    ("init_lora_weights", .string("loftq"), "loftq"), ("init_lora_weights", .integer(1), "init_lora_weights"),
    ("use_dora", .bool(true), "DoRA"), ("layer_replication", .array([.array([.integer(0), .integer(1)])]), "repeated"),
    ("target_parameters", .array([.integer(1)]), "target_parameters"),
  ]

  @Test("configs that lie", arguments: lies.indices)
  func lie(i: Int) throws {
    let (key, value, word) = Self.lies[i]
    let path = try adapter { $0[key] = value }
    let error = try refusal(path, base: AdapterFixture.named("plain").base)
    #expect(error.description.contains(word) && error.remedy != nil, "\(key): \(error)")
  }

  @Test("a missing or broken config, NaN in it")
  func brokenConfig() throws {
    let path = try adapter { _ in }
    let base = AdapterFixture.named("plain").base
    let text = try folder.text("a/adapter_config.json")
    for (broken, word) in [
      (String(text.dropLast(3)), "valid JSON"), ("[]", "object"),
      (text.replacing("\"lora_alpha\":8", with: "\"lora_alpha\":NaN"), "valid JSON"),
    ] {
      try #require(broken != text)
      try folder.write("a/adapter_config.json", broken)
      #expect(try refusal(path, base: base).description.contains(word))
    }
    try FileManager.default.removeItem(atPath: folder["a/adapter_config.json"])
    #expect(try refusal(path, base: base).reason.contains("adapter_config.json"))
  }

  /// An adapter of these tensors for a LLaMA.
  private func made(_ tensors: [TestTensor], rank: Int = 2) throws -> String {
    try folder.write("m/adapter_config.json", #"{"peft_type": "LORA", "r": \#(rank), "lora_alpha": 4}"#)
    try folder.file("m/adapter_model.safetensors", tensors.sorted { $0.name < $1.name })
    return folder["m"]
  }

  private static let layer = "base_model.model.model.layers.0.self_attn.q_proj"

  private static func pair(_ layer: String = layer, a: [Int] = [2, 16], b: [Int] = [16, 2]) -> [TestTensor] {
    [.weights("\(layer).lora_A.weight", a), .weights("\(layer).lora_B.weight", b)]
  }

  static let misfits: [(String, [TestTensor], String)] = [
    (
      "keys of another family", pair("base_model.model.transformer.h.0.attn.c_attn"),
      "transformer.h.0.attn.c_attn.weight"
    ),
    ("a layer that the base lacks", pair("base_model.model.model.layers.9.self_attn.q_proj"), "layers.9"),
    ("wrong columns", pair(a: [2, 17]), "2×17"), ("wrong rows", pair(b: [15, 2]), "15×2"),
    ("two ranks", pair(b: [16, 3]), "rank"), ("only one factor", [pair()[0]], "only one"),
    ("factors of size zero", pair(a: [0, 16], b: [16, 0]), "without elements"),
    ("factors that are no matrices", pair(a: [2, 4, 4]), "2×4×4"),
    ("a magnitude", pair() + [.weights("\(layer).lora_magnitude_vector", [16])], "lora_magnitude_vector"),
    ("an unknown part", pair() + [.weights("\(layer).lora_diag", [2])], "lora_diag"),
    (
      "two changes of one tensor",
      pair() + [.weights("base_model.model.model.layers.0.self_attn.q_proj.weight", [16, 16])], "two ways"
    ),
    ("a whole tensor of another shape", [.weights("base_model.model.model.norm.weight", [17])], "17"),
    (
      "rows without their numbers",
      [.weights("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta", [2, 16])], "which"
    ),
    (
      "integers",
      [TestTensor("\(layer).lora_A.weight", "I32", [2, 16], bytes: [UInt8](repeating: 1, count: 128)), pair()[1]], "I32"
    ),
    (
      "the same factors under two prefixes", pair() + pair("model.layers.0.self_attn.q_proj"), "two factors A"
    ),
    ("nothing", [], "no tensors"),
  ]

  @Test("tensors that do not fit", arguments: misfits.indices)
  func misfit(i: Int) throws {
    let (what, tensors, word) = Self.misfits[i]
    try folder.directory("base", TestModel.llama())
    let error = try refusal(made(tensors), base: folder["base"])
    #expect(error.code == .refused && error.description.contains(word) && error.remedy != nil, "\(what): \(error)")
  }

  @Test("missing keys are listed, never skipped") func missing() throws {
    try folder.directory("base", TestModel.llama())
    let pairs = (2..<7).flatMap { Self.pair("base_model.model.model.layers.\($0).self_attn.q_proj") }
    let error = try refusal(made(Self.pair() + pairs), base: folder["base"])
    #expect(error.reason.contains("5 tensors") && error.reason.contains("and 2 more"), "\(error)")
  }

  @Test("a head for a tied base") func tiedHead() throws {
    let fixture = AdapterFixture.named("tied-head")
    let error = try refusal(fixture.adapter, base: fixture.base)
    #expect(error.reason.contains("lm_head.weight") && error.remedy?.contains("embedding") == true)
  }

  @Test("a truncated file, at every length") func truncated() throws {
    let path = try adapter { _ in }
    let base = try SafetensorsCheckpoint(path: AdapterFixture.named("plain").base)
    let whole = try folder.bytes("a/adapter_model.safetensors")
    for length in Array(stride(from: 0, to: whole.count, by: 211)) + [whole.count - 1] {
      try folder.write("a/adapter_model.safetensors", Array(whole[..<length]))
      #expect(throws: VPatchError.self) { try AdapterPlan(PEFTAdapter(path: path), over: base) }
    }
    try FileManager.default.removeItem(atPath: folder["a/adapter_model.safetensors"])
    try folder.write("a/adapter_model.bin", "PK")
    #expect(try refusal(path, base: base.path).remedy?.contains("safe_serialization") == true)
  }

  @Test("factors that are not finite change nothing there") func notFinite() throws {
    try folder.directory("base", TestModel.llama())
    var pair = Self.pair()
    // One NaN in B: its row stays as it is.
    pair[1].bytes.replaceSubrange(0..<2, with: [0xC0, 0x7F])
    let plan = try AdapterPlan(PEFTAdapter(path: made(pair)), over: SafetensorsCheckpoint(path: folder["base"]))
    let tensor = try #require(plan.base.tensor(named: "model.layers.0.self_attn.q_proj.weight"))
    let (base, merged) = (
      try plan.base.source(of: tensor).bytes(), try AdaptedCheckpoint(plan).source(of: tensor).bytes()
    )
    #expect(base[..<32] == merged[..<32] && base != merged)
  }
}
