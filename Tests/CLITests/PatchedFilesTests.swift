import Base
import Foundation
import TestModels
import Testing

/// What a patch makes of the files beside the weights counts where it is put over a model in memory, too.
@Suite("patched files") struct PatchedFilesTests {
  private let scene: EvalScene
  /// The tuned model: other weights, another chat template and config, and one file more.
  private var tuned: String { scene.folder["tuned"] }
  private var patch: String { scene.folder["tuned.vpatch"] }

  init() throws {
    scene = try EvalScene()
    let files = FileManager.default
    try files.copyItem(atPath: scene.sa, toPath: scene.folder["tuned"])
    var config = try JSON.parse(Array(Data(contentsOf: URL(filePath: scene.folder["tuned/config.json"])))).object!
    config.removeAll { $0.key == "rope_theta" }
    config.append(JSON.Member("rope_theta", .number("50.0")))
    try scene.folder.write("tuned/config.json", JSON.object(config).canonical())
    try scene.folder.write(
      "tuned/tokenizer_config.json", #"{"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}"#)
    try scene.folder.write(
      "tuned/chat_template.jinja",
      "{% for m in messages %}{{ m.role + ': ' + m.content + '<|im_end|>' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}")
    let run = try Command("create", scene.base, tuned, "-o", patch)
    precondition(run.code == 0, run.errors)
  }

  private func output(_ arguments: String...) throws -> String {
    let run = try Command(Command.path, arguments + ["--threads", "1"])
    #expect(run.code == 0 && !run.output.isEmpty, "\(arguments): \(run.errors)")
    return run.output
  }

  @Test("generate and score are those of the model that the patch makes")
  func sameAsApplied() throws {
    let rows = try scene.folder.write(
      "rows.jsonl", #"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"# + "\n")
    for arguments in [
      ["generate", "MODEL", "cat dog", "--max-tokens", "6", "--json"], ["score", "MODEL", "--data", rows, "--json"],
      ["score", "MODEL", "--text", "cat dog", "--json"],
    ] {
      func output(_ model: String, _ more: String...) throws -> String {
        let run = try Command(Command.path, arguments.map { $0 == "MODEL" ? model : $0 } + more + ["--threads", "1"])
        #expect(run.code == 0 && !run.output.isEmpty, "\(run.errors)")
        return run.output.replacing(/"(model|seconds)":("[^"]*"|[-0-9.e]*),?/, with: "")
      }
      #expect(try output(scene.base, "--patch", patch) == output(tuned), "\(arguments)")
      #expect(try output(scene.base) != output(tuned), "\(arguments)")
    }
  }

  @Test("a file that is not what the patch was made from stays, and that is said")
  func whatStays() throws {
    try scene.folder.write(
      "base/config.json", try Data(contentsOf: URL(filePath: scene.folder["base/config.json"])) + [10])
    let run = try Command("generate", scene.base, "cat", "--max-tokens", "2", "--patch", patch)
    #expect(
      run.code == 0
        && run.errors.contains("config.json differs from the file that the patch was made with, and was left as it is"),
      "\(run.errors)")
  }

  @Test("train on top of it learns what its template writes")
  func train() throws {
    let rows = try scene.folder.write(
      "rows.jsonl", #"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"# + "\n")
    let run = try Command(
      "train", scene.base, "--patch", patch, "--recipe", "sa-proj", "--data", rows, "-o", scene.folder["x.vpatch"],
      "--dry-run", "--show-rows", "1")
    #expect(run.code == 0 && run.output.contains("user: a<|im_end|>assistant: ⟦b<|im_end|>⟧"), "\(run.output)")
  }

  @Test("eval compares what is asked in the same words, or refuses")
  func eval() throws {
    let run = try Command("eval", scene.base, "--patch", patch, "--suite", scene.suite)
    #expect(
      run.code == 5
        && run.says("has another tokenizer or chat template than \(scene.base); give one --chat-template for both"),
      "\(run.errors)")
    let same = try Command(
      "eval", scene.base, "--patch", patch, "--suite", scene.suite, "--chat-template",
      scene.folder["tuned/chat_template.jinja"])
    #expect(same.code == 0, "\(same.errors)")
  }
}
