import Base
import Foundation
import Glibc
import PatchFormat
import TestModels
import Testing

@Suite("vpatch train") struct TrainCommandTests {
  let scene: TrainScene
  var folder: TestFolder { scene.folder }

  init() throws { scene = try TrainScene() }

  private func json(_ run: Command) throws -> JSON {
    #expect(run.code == 0, "\(run.errors)")
    return try JSON.parse(Array(run.output.utf8))
  }

  // MARK: What it makes

  @Test("a patch of a recipe's tensors: the plan first, then steps, then what came of it") func patch() throws {
    let run = try scene.train("--steps", "20", "--log", folder["log.jsonl"])
    #expect(run.code == 0, "\(run.errors)")
    // Results alone go to standard output.
    #expect(run.output.contains("learned   loss ") && run.output.contains(" in 20 steps"))
    #expect(run.output.contains("proved    nothing outside the 8 tuned tensors changed\n"))
    #expect(!run.output.contains("step 2/20"))
    for words in [
      "self_attn.q_proj        2      512  0–1", "share     26.9% of the model's 5,712 weights",
      "data      10 rows, 135 tokens, of which 105 are answers", "steps     20 of 4 rows", "step 20/20  loss ",
    ] {
      #expect(run.errors.contains(words), "\(words)")
    }
    let patch = try Patch(path: scene.patch)
    #expect(patch.header.touched.count == 8)
    #expect(patch.header.touched.allSatisfy { $0.name.contains("self_attn.") && $0.name.hasSuffix("_proj.weight") })
    #expect(patch.annotations["recipe"] == .string("sa-proj"))
    let training = try #require(patch.annotations["training"])
    #expect(training["steps"]?.int == 20 && training["data"]?.array?.first?["rows"]?.int == 10)

    let log = try folder.text("log.jsonl").split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
    #expect(log.map { $0["step"]?.int } == (1...20).map { $0 })
    let losses = log.compactMap { $0["loss"]?.double }
    #expect(losses.count == 20 && losses[19] < losses[0] - 0.1)
    #expect(log.allSatisfy { $0["lr"]?.double != nil && $0["tokens_per_second"]?.double != nil })
    #expect(try log[0]["kernels"]?.string == training["kernels"]?.string && #require(log[0]["tokens"]?.int) > 0)

    let show = try Command("show", scene.patch).output
    #expect(show.contains("sa-proj") && show.contains("20 steps"), "\(show)")
    #expect(try Command("verify", scene.patch, "--base", scene.base).code == 0)
  }

  @Test("the same bits on any number of threads, however the betas are written")
  func reproducible() throws {
    func identity(_ more: String...) throws -> String? {
      let run = try scene.train(["--steps", "3", "--json", "--force"] + more)
      return try json(run)["identity"]?.string
    }
    let first = try identity("--threads", "1")
    #expect(first != nil)
    #expect(try identity("--threads", "3") == first)
    #expect(try identity("--threads", "1", "--betas", "0.9", "0.999") == first)
    #expect(try identity("--threads", "1", "--betas", "0.8,0.999") != first)
    #expect(try identity("--threads", "1", "--seed", "1") != first)
  }

  @Test("the plan alone, quiet, and as JSON") func shown() throws {
    let plan = try json(try scene.train("--dry-run", "--json", "--epochs", "3", "--batch", "4"))
    #expect(plan["steps"]?.int == 9 && plan["tensors"]?.array?.count == 8 && plan["answer_tokens"]?.int == 105)
    #expect(try #require(plan["memory"]?["needed"]?.int) > 16 * 1_536)
    #expect(!folder.exists("task.vpatch"))
    let quiet = try scene.train("-q", "--steps", "1")
    #expect(quiet.code == 0 && quiet.output.isEmpty && quiet.errors.isEmpty)
    let run = try scene.train("--json", "--steps", "2", "--force", "--name", "counting")
    #expect(run.errors.isEmpty)
    let result = try json(run)
    #expect(result["training"]?["curve"]?["loss"]?.array?.count == 2)
    #expect(result["stored"]?["alias"]?.string == "counting")
    #expect(result["plan"]?["share"]?.double.map { $0 > 0.26 && $0 < 0.27 } == true)
  }

  @Test("more steps than data, portions that do not divide a batch, a pattern, some layers") func shapes() throws {
    let many = try json(try scene.train("--steps", "7", "--batch", "64", "--micro-batch", "3", "--json"))
    #expect(many["training"]?["tokens"]?.int == 7 * 135)
    let only = try Command(
      "train", scene.base, "--only", #".*\.(q|k)_proj\.weight"#, "--layers", "1", "--data", scene.data, "-o",
      folder["only.vpatch"], "--steps", "2", "--lr", "1e-3", "--no-store")
    #expect(only.code == 0, "\(only.errors)")
    let touched = try Patch(path: folder["only.vpatch"]).header.touched.map(\.name)
    #expect(touched == ["k", "q"].map { "model.layers.1.self_attn.\($0)_proj.weight" })
  }

  @Test("on top of another patch") func chain() throws {
    #expect(try scene.train("--steps", "2").code == 0)
    let run = try Command(
      "train", scene.base, "--patch", scene.patch, "--recipe", "gate-up", "--data", scene.data, "-o",
      folder["second.vpatch"], "--steps", "2", "--lr", "1e-3")
    #expect(run.code == 0, "\(run.errors)")
    let (first, second) = (try Patch(path: scene.patch), try Patch(path: folder["second.vpatch"]))
    #expect(second.header.baseRoot == first.header.targetRoot)
    let other = try Command(
      "train", TinyModel("tiny-qwen2").folder, "--patch", scene.patch, "--recipe", "mlp", "--data", scene.data, "-o",
      folder["third.vpatch"])
    #expect(other.code == 3 && other.errors.contains("is not the base of "), "\(other.errors)")
  }

  @Test("a suite before and after, drift on the texts that come along: bound to the patch") func suite() throws {
    let model = try EvalScene()
    let run = try Command(
      "train", model.base, "--recipe", "sa-proj", "--data", model.folder["learn.jsonl"], "-o",
      model.folder["new.vpatch"], "--steps", "2", "--lr", "1e-2", "--suite", model.suite, "--max-drift", "100",
      "--drift-every", "2")
    #expect(run.code == 1 && run.says("learn.jsonl", "cannot be opened"))
    try model.folder.write(
      "learn.jsonl",
      (0..<4).map { #"{"messages": [{"role": "user", "content": "\#($0)"}, {"role": "assistant", "content": "cat"}]}"# }
        .joined(separator: "\n"))
    let whole = try Command(
      "train", model.base, "--recipe", "sa-proj", "--data", model.folder["learn.jsonl"], "-o",
      model.folder["new.vpatch"], "--steps", "2", "--lr", "1e-2", "--suite", model.suite, "--max-drift", "100",
      "--drift-every", "2")
    #expect(whole.code == 0, "\(whole.errors)")
    #expect(whole.output.contains("drift     KL ") && whole.output.contains(" nats per token after step 2"))
    let patch = try Patch(path: model.folder["new.vpatch"])
    let records = patch.annotations["forgetting"]?.array ?? []
    #expect(records.map { $0["task"]?.string } == ["text", "choice", "choice", "count", "drift", "numbers"])
    #expect(records.allSatisfy { $0["measured"]?.string == patch.header.targetRoot.hex })
    #expect(patch.annotations["training"]?["drift"]?["step"]?.array?.count == 2)
  }

  // MARK: What it refuses

  @Test("what cannot be trained is said in one line, and nothing is written") func refusals() throws {
    let cases: [(arguments: [String], code: Int32, words: String)] = [
      (["--recipe", "vision"], 5, "has no tensor of the recipe vision"),
      (
        ["--recipe", "router"], 5,
        "has no tensor of the recipe router; recipes that have tensors in it are sa-proj, sa-qkv, attention-output, gate-up,"
      ),
      (["--only", "nothing"], 5, "has no tensor of the pattern nothing"),
      (["--only", "("], 5, "is not a valid name pattern"),
      (["--recipe", "mlp", "--layers", "5-9"], 5, "the recipe mlp is in layers 0 to 1"),
      (["--recipe", "mlp", "--layers", "5-a"], 5, "\"5-a\" is not a range of layers; write 0-5"),
      (["--recipe", "mlp", "--betas", "0.9,1.5"], 5, "is not a valid pair of numbers; write 0.9,0.999"),
      (["--recipe", "mlp", "--drift"], 2, "give rows of input_ids with --neutral"),
      (["--recipe", "mlp", "--log", "/nowhere/log"], 1, "/nowhere/log: cannot be written"),
      (["--recipe", "mlp", "--resume", scene.data], 5, "is not a folder"),
      (["--recipe", "mlp", "--resume", scene.base], 5, "is a model folder"),
      (["--recipe", "mlp", "--max-length", "4", "--too-long", "refuse"], 2, "line 1 has "),
      (["--recipe", "mlp", "--lr", "1e-12"], 5, "would be empty"),
      (["--recipe", "mlp", "--suite", "/nowhere/suite.toml"], 1, "/nowhere/suite.toml: cannot be opened"),
    ]
    for (arguments, code, words) in cases {
      let run = try Command(
        Command.path,
        ["train", scene.base, "--data", scene.data, "-o", scene.patch, "--steps", "1", "--json"] + arguments)
      #expect(run.code == code && run.says(words) && run.output.isEmpty, "\(arguments): \(run.code) \(run.errors)")
      #expect(!folder.exists("task.vpatch"))
    }
    let bf16 = try Command(
      "train", scene.base, "--recipe", "mlp", "--data", scene.data, "-o", scene.patch, "--compute", "bf16",
      environment: ["VPATCH_ISA": "baseline"])
    #expect(bf16.code == 5 && bf16.says("bf16 products need a processor with AVX512-BF16", "use --compute f32"))
  }

  @Test(
    "data that cannot be learned from",
    arguments: [
      (#"{"input_ids": [1, 2, 600]}"#, "line 1 has the id 600 (at 2); the model has 64 ids"),
      (#"{"input_ids": [1, 2], "labels": [1]}"#, "line 1 has 2 ids and 1 label"),
      (#"{"input_ids": [1, 2], "labels": [1, -100]}"#, "line 1 has nothing to train on"),
      (#"{"input_ids": [1, 2]}"# + "\n\n[]", "line 3 is not an object"),
      ("step,loss", "line 1 is not JSON"),
      (#"{"text": "a b"}"#, "has no tokenizer.json (needed by line 1 of "),
      ("\n \n", "has no rows"),
    ])
  func badRows(text: String, words: String) throws {
    try folder.write("rows.jsonl", text)
    let run = try scene.train("--steps", "1")
    #expect(run.code == 2 && run.says(words), "\(run.errors)")
  }

  @Test("models that cannot be trained") func badModels() throws {
    let config = try folder.text("model/config.json")
    for (old, new, code, words) in [
      (#""llama""#, #""gpt_neox""#, Int32(5), "\"gpt_neox\"; known are llama, seed_oss, smollm3, mistral, qwen2"),
      (#""hidden_size": 16"#, #""hidden_size": 128"#, 2, "its config.json requires 64×128"),
      (#""num_hidden_layers": 2"#, #""num_hidden_layers": 3"#, 2, "lacks the tensor"),
      (#""num_hidden_layers": 2"#, #""num_hidden_layers": 1"#, 2, "its config.json has 1 layer, from 0"),
    ] {
      #expect(config.contains(old))
      try folder.write("model/config.json", config.replacing(old, with: new))
      let run = try scene.train("--steps", "1")
      #expect(run.code == code && run.says(words), "\(run.errors)")
    }
    try folder.write("model/config.json", config)
    // A vocabulary of 710 for a model of 64.
    for file in ["tokenizer.json", "tokenizer_config.json"] {
      try folder.write("model/\(file)", EvalScene().folder.bytes("base/\(file)"))
    }
    try folder.write("rows.jsonl", #"{"prompt": "The cat", "completion": " sat"}"#)
    let run = try scene.train("--steps", "1")
    #expect(
      run.code == 2
        && run.says("tokenizer.json: makes the id ", "the model has 64 ids", "use this model's tokenizer"),
      "\(run.errors)")
  }

  @Test("neither the patch nor the log is written over what is read") func outputs() throws {
    let rows = try folder.bytes("rows.jsonl")
    let onData = try Command(
      "train", scene.base, "--recipe", "mlp", "--data", scene.data, "-o", scene.data, "--force", "--steps", "1")
    #expect(onData.code == 5 && onData.says("rows.jsonl: is an input of this command"))
    let log = try scene.train("--steps", "1", "--log", scene.data)
    #expect(log.code == 5 && log.says("rows.jsonl: is an input of this command"), "\(log.errors)")
    let both = try scene.train("--steps", "1", "--log", scene.patch)
    #expect(both.code == 5 && both.says("is also the output file of the patch"))
    #expect(try folder.bytes("rows.jsonl") == rows && !folder.exists("task.vpatch"))
    try folder.write("task.vpatch", "mine")
    let there = try scene.train("--steps", "1")
    #expect(there.code == 5 && there.says("already exists; use --force"))
    #expect(try folder.text("task.vpatch") == "mine")
  }

  @Test("rows that are too long are cut, and counted") func cut() throws {
    let run = try scene.train("--steps", "1", "--max-length", "10")
    #expect(run.code == 0 && run.errors.contains("note: \(scene.data): 7 rows too long, cut by "), "\(run.errors)")
    #expect(try Patch(path: scene.patch).annotations["training"]?["data"]?.array?.first?["cut"]?.int == 7)
  }

  // MARK: Going astray

  @Test("a loss that is no number: which step, which rows, and no patch") func astray() throws {
    let run = try scene.train("--steps", "3", "--lr", "1e30", "-q")
    #expect(run.code == 4, "\(run.errors)")
    #expect(run.says("training diverged: at step 2 the loss is not a number, with line "), "\(run.errors)")
    let drift = try scene.train(
      "--steps", "3", "--lr", "1e30", "-q", "--drift", "--neutral", scene.data, "--drift-every", "1")
    #expect(drift.code == 4 && drift.says("after step 1 the drift is not a number"), "\(drift.errors)")
    let kept = try scene.train("--steps", "3", "--lr", "1e30", "-q", "--resume", folder["state"])
    #expect(kept.code == 4 && kept.says("the state after step 1 is in \(folder["state"])/training.safetensors"))
    #expect(try folder.names() == ["model", "rows.jsonl", "state"])
  }

  @Test("a state that was saved before it went astray is kept") func lastGoodState() throws {
    // Each step multiplies the weights by -99: it takes some until their products are too large.
    let arguments = [
      "--steps", "40", "--lr", "1e-3", "--schedule", "constant", "--warmup", "0", "--weight-decay", "1e5", "-q",
      "--resume", folder["state"], "--save-every", "3",
    ]
    let run = try scene.train(arguments)
    #expect(run.code == 4, "\(run.errors)")
    let step = try #require(run.errors.firstMatch(of: #/at step (\d+)/#).flatMap { Int($0.output.1) })
    #expect(step > 4 && step < 40)
    // Not the state right before it, which would be of no use to anyone.
    #expect(run.says("the state after step \((step - 2) / 3 * 3) is in "), "\(run.errors)")
    let again = try scene.train(arguments)
    #expect(again.code == 4 && again.errors == run.errors)
  }

  @Test("a budget that is passed at once leaves nothing to make a patch of") func budget() throws {
    let run = try scene.train(
      "--steps", "4", "--lr", "1e-2", "--max-drift", "1e-9", "--neutral", scene.data, "-q")
    #expect(run.code == 5, "\(run.errors)")
    #expect(
      run.says("the drift exceeded its budget of 1.00e-9 at its first measurement", "after step 1", "a lower --lr"),
      "\(run.errors)")
    let drifting = ["--steps", "6", "--lr", "1e-3", "--neutral", scene.data, "--drift-every", "1", "--force"]
    let free = try json(try scene.train(drifting + ["--drift", "--json"]))
    let drift = try #require(free["training"]?["drift"]?["kl"]?.array).compactMap(\.double)
    #expect(drift.count == 7 && drift[0] == 0 && drift[2] < drift[3])
    let inside = try scene.train(drifting + ["--max-drift", "\((drift[2] + drift[3]) / 2)"])
    #expect(inside.code == 0, "\(inside.errors)")
    #expect(inside.output.contains("stopped   the drift exceeded its budget: the weights are those of step 2\n"))
    #expect(try Patch(path: scene.patch).annotations["training"]?["stopped"]?.string == "max-drift")
  }
}

/// A tiny model without a tokenizer, and rows of ids.
struct TrainScene: Sendable {
  let folder: TestFolder
  var base: String { folder["model"] }
  var data: String { folder["rows.jsonl"] }
  var patch: String { folder["task.vpatch"] }

  init() throws {
    folder = try TestFolder()
    try Self.fill(folder)
  }

  /// Puts model and rows into a folder.
  static func fill(_ folder: TestFolder) throws {
    let config = """
      {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 16,
       "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
       "head_dim": 8, "vocab_size": 64, "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
       "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false, "eos_token_id": 1}
      """
    var random = TestRandom(3)
    // Weights large enough for attention to matter.
    let model = TestModel.llama(layers: 2, vocabulary: 64).map { tensor in
      TestTensor.bf16(tensor.name, tensor.shape, (0..<tensor.bytes.count / 2).map { _ in random.normal() * 0.5 })
    }
    try folder.directory("model", model, files: ["config.json": config])
    let rows = (0..<10).map { i in
      let ids = (0..<6 + i * 7 % 15).map { _ in Int(random.next() % 64) }
      let labels = ids.enumerated().map { $0 < 3 ? -100 : $1 }
      return #"{"input_ids": \#(ids), "labels": \#(labels)}"#
    }
    try folder.write("rows.jsonl", rows.joined(separator: "\n"))
  }

  func train(_ more: String...) throws -> Command { try train(more) }

  func train(_ more: [String]) throws -> Command { try Command(Command.path, Self.arguments(folder) + more) }

  /// A later option takes the place of an earlier one.
  static func arguments(_ folder: TestFolder) -> [String] {
    [
      "train", folder["model"], "--recipe", "sa-proj", "--data", folder["rows.jsonl"], "-o", folder["task.vpatch"],
      "--batch", "4", "--lr", "1e-3",
    ]
  }
}
