import Base
import Foundation
import TestModels

/// A language model of a few kilobytes that speaks bytes and a few words, two patches of it, and a suite.
///
///     base ──sa──▶ sa        attention
///     └────mlp──▶ mlp        gate and up projections
struct EvalScene: Sendable {
  let folder: TestFolder
  var base: String { folder["base"] }
  var sa: String { folder["sa"] }
  var saPatch: String { folder["sa.vpatch"] }
  var mlpPatch: String { folder["mlp.vpatch"] }
  var suite: String { folder["suite.toml"] }

  /// Made once: most of a test's time is that of the commands that it runs.
  private static let first = Result { try EvalScene(in: TestFolder()) }

  init() throws { try self.init(copying: Self.first.get()) }

  init(copying other: EvalScene) throws { folder = try TestFolder(copying: other.folder) }

  private init(in folder: TestFolder) throws {
    self.folder = folder
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"
    let config = """
      {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 16,
       "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
       "head_dim": 8, "vocab_size": 710, "max_position_embeddings": 256, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
       "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false, "eos_token_id": 701}
      """
    let template =
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
      + "+ '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    let names = JSON.dictionary([
      "bos_token": .string("<|im_start|>"), "eos_token": .string("<|im_end|>"), "chat_template": .string(template),
    ])
    let files = [
      "config.json": config, "tokenizer_config.json": names.compact(),
      "tokenizer.json": try String(contentsOfFile: "\(fixtures)/tokenizers/smollm2/tokenizer.json", encoding: .utf8),
    ]
    // Weights large enough for the model to have opinions.
    func weights(_ seed: UInt64, _ parts: [String] = [""], over old: [TestTensor]) -> [TestTensor] {
      var random = TestRandom(seed)
      return old.map { tensor in
        guard parts.contains(where: { $0.isEmpty || tensor.name.contains($0) }) else { return tensor }
        return .bf16(tensor.name, tensor.shape, (0..<tensor.bytes.count / 2).map { _ in random.normal() * 0.5 })
      }
    }
    let model = weights(1, over: TestModel.llama(layers: 1, vocabulary: 710))
    try folder.directory("base", model, files: files)
    for (name, parts) in [("sa", TestModel.attention), ("mlp", TestModel.gateUp)] {
      try folder.directory(name, weights(2, parts, over: model), files: files)
      let run = try Command("create", base, folder[name], "-o", folder["\(name).vpatch"], "--name", name)
      precondition(run.code == 0, run.errors)
    }
    try writeSuite()
  }

  private func writeSuite() throws {
    try folder.write("text.txt", "The cat sat on the mat.\n%\nSome more text, a little longer.\n%\nThe end of it.\n")
    try folder.write(
      "rows.jsonl", (0..<12).map { #"{"prompt": "How many of \#($0)?", "answer": "\#($0)"}"# }.joined(separator: "\n"))
    try folder.write(
      "choices.jsonl",
      (0..<24).map { #"{"prompt": "Item \#($0):", "choices": ["yes", "perhaps", "no"], "answer": \#($0 % 3)}"# }
        .joined(separator: "\n"))
    try folder.write(
      "suite.toml",
      """
      [[task]]
      name = "text"
      kind = "perplexity"
      role = "held-out"
      data = "text.txt"
      [[task]]
      name = "choice"
      kind = "multiple-choice"
      role = "held-out"
      data = "choices.jsonl"
      format = "raw"
      [[task]]
      name = "count"
      kind = "exact-match"
      role = "target"
      data = "rows.jsonl"
      format = "chat"
      max_tokens = 4
      [[task]]
      name = "drift"
      kind = "kl"
      role = "held-out"
      data = "text.txt"
      [[task]]
      name = "numbers"
      kind = "mass"
      role = "probe"
      data = "rows.jsonl"
      format = "chat"
      max_tokens = 3
      """)
  }

  func eval(_ model: String, _ more: String...) throws -> Command {
    try Command(Command.path, ["eval", model, "--suite", suite, "--threads", "1"] + more)
  }
}
