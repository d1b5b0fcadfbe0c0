import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("The dtype in config.json after a cast") struct ConfigDTypeTests {
  private func adapted(_ text: String, _ base: String?, _ cast: DType = .bf16) -> String? {
    ConfigDType.adapted(Array(text.utf8), base: base.map { Array($0.utf8) }, cast: cast).map {
      String(decoding: $0.text, as: UTF8.self)
    }
  }

  @Test("as the base says, at the same place; all other bytes stay") func places() {
    let base = #"{"torch_dtype": "bfloat16", "vision_config": {"dtype": "float16"}}"#
    #expect(
      adapted(
        #"{ "dtype" : "float32",  "x":[1.50, {"dtype":"float32"}], "vision_config":{"torch_dtype":"float32"}}"#, base)
        == #"{ "dtype" : "bfloat16",  "x":[1.50, {"dtype":"bfloat16"}], "vision_config":{"torch_dtype":"float16"}}"#)
    #expect(adapted(#"{"dtype": "bfloat16"}"#, base) == nil)
    #expect(adapted(#"{"dtype": "float32"}"#, nil) == #"{"dtype": "bfloat16"}"#)
    #expect(adapted(#"{"dtype": "float32"}"#, "{}", .f16) == #"{"dtype": "float16"}"#)
    #expect(adapted(#"{"dtype": "float32"}"#, "not JSON", .f64) == #"{"dtype": "float64"}"#)
  }

  @Test("what only looks like it stays") func others() {
    for text in [
      #"{"a": "dtype", "b": "float32"}"#, #"{"bnb_4bit_compute_dtype": "float32"}"#, #"{"dtype": "auto"}"#,
      #"{"dtype": null}"#, #"{"dtype": ["float32"]}"#, #"["dtype", "float32"]"#, #"{"k\"dtype": "float32"}"#,
      #"{"x": "\"dtype\": \"float32\""}"#, #"{"dtype": "float32""#, "",
    ] { #expect(adapted(text, nil) == nil, "\(text)") }
  }

  @Test("a patch of a cast model says the base's dtype, and no config travels for the dtype alone") func travels()
    throws
  {
    let folder = try TestFolder()
    let model = TestModel.llama()
    let tuned = model.tuned("self_attn").map { tensor in
      TestTensor(
        tensor.name, "F32", tensor.shape,
        bytes: stride(from: 0, to: tensor.bytes.count, by: 2).flatMap {
          [0, 0, tensor.bytes[$0], tensor.bytes[$0 + 1]]
        })
    }
    func config(_ dtype: String, _ more: String = "") -> [String: String] {
      ["config.json": "{\n  \"dtype\": \"\(dtype)\"\(more)\n}\n"]
    }
    try folder.directory("base", model, files: config("bfloat16"))
    try folder.directory("same", tuned, files: config("float32"))
    try folder.directory("more", tuned, files: config("float32", ",\n  \"x\": 1.0"))
    func create(_ name: String, cast: Bool = true) throws -> (Patch, CreateResult) {
      var options = CreateOptions()
      options.castToBase = cast
      let result = try Create(
        base: SafetensorsCheckpoint(path: folder["base"]), tuned: SafetensorsCheckpoint(path: folder[name]),
        options: options,
        work: WorkOptions(threads: 1)
      ).write(to: folder["p"], replacing: true)
      return (try Patch(path: folder["p"]), result)
    }
    let (same, result) = try create("same")
    #expect(same.annex.sideFiles.isEmpty)
    #expect(result.castConfig?.from == "float32" && result.castConfig?.to == "bfloat16")
    let text = try #require(try create("more").0.annex.sideFiles.first?.target)
    #expect(String(decoding: text, as: UTF8.self) == config("bfloat16", ",\n  \"x\": 1.0")["config.json"])
    // What is not cast is what its config says.
    let kept = try #require(try create("more", cast: false).0.annex.sideFiles.first?.target)
    #expect(String(decoding: kept, as: UTF8.self).contains("float32"))
  }
}
