import Base
import Foundation
import PatchFormat
import TestModels
import Testing

/// Inputs that are not what their place asks for: what is said of them, and that what is advised works.
@Suite("vpatch create: inputs as what they are") struct InputKindTests {
  let folder: TestFolder
  let model = TestModel.llama()
  var tuned: [TestTensor] { model.tuned(TestModel.attention) }
  var trained: [TestTensor] { tuned.filter { $0.name.contains("self_attn") } }
  let lora = [
    TestTensor.weights("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", [4, 16]),
    TestTensor.weights("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", [16, 4]),
  ]

  init() throws {
    folder = try TestFolder()
    try folder.directory("base", model, files: ["config.json": "{}"])
    try folder.file("tuned.safetensors", tuned)
  }

  private func create(_ base: String, _ tuned: String, _ more: [String] = []) throws -> Command {
    try Command(
      Command.path, ["create", folder[base], folder[tuned], "-o", folder["p.vpatch"], "--no-store", "--force"] + more)
  }

  /// What an error advises: for each alternative the options to give, and those to leave out.
  private static func remedies(_ errors: String) -> [(add: [String], drop: [String])] {
    guard let remedy = errors.split(separator: "; ").last else { return [] }
    return remedy.split(separator: ", or ").compactMap { part in
      let options = part.matches(of: /--[a-z-]+(?: auto)?/).flatMap { $0.output.split(separator: " ").map(String.init) }
      guard !options.isEmpty else { return nil }
      return part.contains("leave out") ? ([], options) : (options, [])
    }
  }

  /// Runs what an error advises until a patch is made.
  /// - Returns: the options of each way that leads to one.
  private func follow(_ base: String, _ tuned: String, _ options: [String] = [], depth: Int = 0) throws -> [[String]] {
    let run = try create(base, tuned, options)
    if run.code == 0 { return [options] }
    #expect(run.code == 5 && !folder.exists("p.vpatch"), "\(options): \(run.errors)")
    let ways = Self.remedies(run.errors)
    #expect(!ways.isEmpty && depth < 3, "\(options): \(run.errors)")
    guard depth < 3 else { return [] }
    return try ways.flatMap { way in
      let next = options.filter { !way.drop.contains($0) } + way.add
      let found = try follow(base, tuned, next, depth: depth + 1)
      try? FileManager.default.removeItem(atPath: folder["p.vpatch"])
      return found
    }
  }

  @Test("every option that an error advises leads to a patch") func remedies() throws {
    let wrapped = tuned.map { $0.renamed($0.name.replacing("layers.", with: "layers._orig_mod.")) }
    let quantised =
      tuned.without("q_proj") + [TestTensor("model.layers.0.self_attn.q_proj.qweight", "I32", [1], [UInt32(7)])]
    let unmerged = tuned + lora
    let added = tuned + [.weights("model.layers.0.self_attn.q_norm.weight", [4])]
    let kinds: [(String, [TestTensor], [[String]])] = [
      ("trained", trained, [["--partial"], ["--allow-removals"]]),
      ("wrapped", wrapped, [["--map-keys", "auto"]]),
      (
        "wrapped-trained", wrapped.filter { $0.name.contains("self_attn") },
        [["--map-keys", "auto", "--partial"], ["--map-keys", "auto", "--allow-removals"]]
      ),
      ("quantised", quantised, [["--allow-removals", "--allow-additions"]]),
      ("unmerged", unmerged, [["--allow-additions"]]),
      ("added", added, [["--allow-additions"]]),
    ]
    for (name, tensors, ways) in kinds {
      try folder.file(name, tensors)
      #expect(try follow("base", name) == ways, "\(name)")
    }
    #expect(try follow("trained", "base") == [["--allow-additions"]])
    #expect(try follow("quantised", "base") == [["--allow-removals", "--allow-additions"]])
  }

  @Test("an adapter, as a file, or of another base: what it is, and the way; nothing is written") func adapter() throws
  {
    try folder.file("adapter/adapter_model.safetensors", lora)
    try folder.write("adapter/adapter_config.json", #"{"peft_type": "LORA"}"#)
    for options in [[], ["--partial"], ["--map-keys", "auto"], ["--allow-removals", "--allow-additions"]] {
      let file = try create("base", "adapter/adapter_model.safetensors", options)
      #expect(
        file.code == 5 && file.says("is a LoRA adapter, not a model", "give the adapter's folder"), "\(file.errors)")
      let folder = try create("base", "adapter", options)
      #expect(folder.code == 5 && folder.says("rank 4", "adapter_config.json says 8"), "\(folder.errors)")
    }
    let swapped = try create("adapter/adapter_model.safetensors", "base")
    #expect(swapped.code == 5 && swapped.says("adapter_model.safetensors: is a LoRA adapter"), "\(swapped.errors)")
    #expect(
      try Command("diff", folder["base"], folder["adapter/adapter_model.safetensors"]).output.contains(
        "B is a LoRA adapter"))
    #expect(!folder.exists("p.vpatch"))
  }

  @Test("the folder that holds models: the one that is named works") func around() throws {
    try folder.directory("run/checkpoint-10", tuned)
    let run = try create("base", "run")
    #expect(run.code == 2 && run.says("folders that do: checkpoint-10"))
    let path = try #require(run.errors.firstMatch(of: /such as (\S+)\n/)).output.1
    #expect(try Command("create", folder["base"], String(path), "-o", folder["p.vpatch"], "--no-store").code == 0)
  }

  @Test("a file beside: the one that is named works") func beside() throws {
    try folder.file("odd/weights.safetensors", tuned)
    let run = try create("base", "odd")
    let path = try #require(run.errors.firstMatch(of: /name it: (\S+)\n/)).output.1
    #expect(try Command("create", folder["base"], String(path), "-o", folder["p.vpatch"], "--no-store").code == 0)
  }

  @Test("--partial says how many stay, and makes the patch of the whole") func partial() throws {
    try folder.file("trained", trained)
    let run = try create("base", "trained", ["--partial"])
    #expect(run.code == 0 && run.output.contains("kept      12 tensors not on the tuned side, unchanged:\n"))
    #expect(run.output.contains("          model.layers.0.input_layernorm.weight\n"))
    #expect(run.output.contains("          and 7 more\n"))
    let part = try Patch(path: folder["p.vpatch"])
    #expect(part.annotations["made"]?["partial"] == .bool(true))
    #expect(try create("base", "tuned.safetensors").code == 0)
    #expect(try part.identity == Patch(path: folder["p.vpatch"]).identity)
    #expect(try create("base", "trained", ["--partial", "--allow-removals"]).code == 64)
    let json = try JSON.parse(Array(create("base", "trained", ["--partial", "--json"]).output.utf8))
    #expect(json["unchanged_missing"]?.int == 12 && json["kept"]?.array?.count == 12)
    #expect(try Command("show", folder["p.vpatch"]).output.contains("12 tensors that the tuned checkpoint lacked"))
  }

  @Test("a cast says what it cast and what was lost") func cast() throws {
    try folder.file("b", [.bf16("w", [4], [1, 2, 3, 4]), TestTensor("h", "F16", [4], [UInt16(0), 0, 0, 0])])
    try folder.file("t", [.f32("w", [4], [1, 2, 3, 5]), .f32("h", [4], [1e6, -1e9, 1e-30, .nan])])
    let run = try create("b", "t", ["--cast-to-base"])
    #expect(
      run.output.contains(
        """

        cast      1 tensor (4 values) F32 → BF16
                  1 tensor (4 values) F32 → F16; 2 values became infinite, 1 zero

        """), "\(run.output)")
    let json = try JSON.parse(Array(create("b", "t", ["--cast-to-base", "--json"]).output.utf8))
    #expect(
      json["casts"]?.array?[1]["lost"]?["infinite"]?.int == 2 && json["casts"]?.array?[1]["from"]?.string == "F32")
    let whole = try create("b", "t")
    #expect(
      whole.errors.contains("note: 1 tensor of another dtype replaced whole (F32 over BF16); --cast-to-base casts them")
    )
    #expect(
      whole.errors.contains("note: the patch has ")
        && whole.errors.contains(" bytes and the tensors that it changes 32:")
    )
    try folder.file("i", [TestTensor("w", "I16", [4], [UInt16(1), 2, 3, 4])])
    let integers = try create("b", "i", ["--cast-to-base", "--partial"])
    #expect(integers.errors.contains("(I16 over BF16), which cannot be cast"), "\(integers.errors)")
  }

  @Test("a patch that is smaller than its tensors says nothing of its size") func size() throws {
    let large = [TestTensor.weights("w", [128, 128])]
    try folder.file("b", large)
    try folder.file("t", large.map { $0.tuned() })
    #expect(try create("b", "t").errors.isEmpty)
  }
}
