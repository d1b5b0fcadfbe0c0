import Base
import Foundation
import Glibc
import PatchFormat
import TestModels
import Testing

/// The commands with a model that sees.
@Suite("Commands with images", .serialized) struct VisionCommandTests {
  private func train(_ vision: VisionFolder, _ more: String...) throws -> Command {
    try Command(
      Command.path,
      [
        "train", vision.base, "--data", vision.data, "-o", vision.folder["task.vpatch"], "--batch", "2", "--lr", "1e-2",
        "--features", vision.folder["features"],
      ] + more)
  }

  @Test(
    "a patch applies and reverts byte for byte; another layout of the same model is named",
    arguments: zip(TinyModel.visionLanguageModels, ["projector", "vision", "full"]))
  func exact(name: String, recipe: String) throws {
    let vision = try VisionFolder(name)
    let folder = vision.folder
    let run = try train(vision, "--recipe", recipe, "--steps", "2", "--no-store")
    #expect(run.code == 0 && run.output.contains("proved    nothing outside the "), "\(run.errors)")
    #expect(run.errors.contains("data      4 rows, "))
    let applied = try Command("apply", vision.base, folder["task.vpatch"], "-o", folder["tuned"])
    #expect(applied.code == 0, "\(applied.errors)")
    #expect(try folder.bytes("tuned/model.safetensors") != folder.bytes("model/model.safetensors"))
    let reverted = try Command("revert", folder["tuned"], folder["task.vpatch"], "-o", folder["back"])
    #expect(reverted.code == 0, "\(reverted.errors)")
    #expect(try folder.bytes("back/model.safetensors") == folder.bytes("model/model.safetensors"))
    // The same weights under other names.
    let other = try VisionFolder(name)
    try other.rename { tensor in
      let isQwen = name.contains("qwen")
      if tensor.hasPrefix("model.") { return "language_" + tensor }
      if !isQwen, tensor.hasPrefix("language_model.model.") { return "language_model." + tensor.dropFirst(21) }
      return tensor.replacing("language_model.lm_head", with: "lm_head")
    }
    let refused = try Command("apply", other.base, folder["task.vpatch"], "-o", other.folder["tuned"])
    #expect(refused.code == 3 && refused.says("layout"), "\(refused.errors)")
    #expect(!other.folder.exists("tuned"))
  }

  @Test("the plan says what images need; killed and resumed, the patch is the same") func killed() throws {
    let vision = try VisionFolder("tiny-qwen2.5-vl")
    let steps = ["--recipe", "vision", "--steps", "30", "--no-store", "--json", "--save-every", "3"]
    func arguments(_ more: String...) -> [String] {
      [
        "train", vision.base, "--data", vision.data, "-o", vision.folder["task.vpatch"], "--batch", "2", "--lr", "1e-3",
        "--features", "none", "--force",
      ] + steps + more
    }
    func json(_ more: String...) throws -> JSON {
      let run = try Command(Command.path, arguments() + more)
      #expect(run.code == 0, "\(run.errors)")
      return try JSON.parse(Array(run.output.utf8))
    }
    let plan = try json("--dry-run")
    try vision.folder.write("text.jsonl", #"{"input_ids": [1, 7, 8, 9, 10, 11]}"#)
    let blind = try json("--dry-run", "--data", vision.folder["text.jsonl"], "--micro-batch", "1")
    let one = try #require(plan["memory"]?["activations"]?.int)
    #expect(try #require(blind["memory"]?["activations"]?.int) <= one)
    let whole = try json()["identity"]?.string
    // Killed when the second state is about to get its name.
    let run = try FaultRun.run(
      in: vision.folder, arguments("--resume", vision.folder["state"]), .killBefore, at: 2, of: "rename",
      below: "state")
    #expect(run.code == SIGKILL)
    #expect(try json("--resume", vision.folder["state"])["identity"]?.string == whole && whole != nil)
  }

  @Test("memory stays what it is over hundreds of steps") func memory() throws {
    let vision = try VisionFolder("tiny-qwen2.5-vl")
    let run = try Command.start(
      Command.path,
      [
        "train", vision.base, "--data", vision.data, "-o", vision.folder["task.vpatch"], "--recipe", "vision",
        "--batch",
        "1", "--steps", "200", "--no-store", "--features", "none", "-q", "--log", vision.folder["log.jsonl"],
        "--threads", "1",
      ])
    defer { kill(run.process.processIdentifier, SIGKILL) }
    func resident(at step: Int) throws -> Int {
      let end = Date().addingTimeInterval(120)
      while run.process.isRunning, Date() < end {
        let lines = vision.folder.exists("log.jsonl") ? try vision.folder.text("log.jsonl").split(separator: "\n") : []
        if lines.count >= step { break }
        usleep(2000)
      }
      let status = try String(contentsOfFile: "/proc/\(run.process.processIdentifier)/status", encoding: .utf8)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
      return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
    }
    let early = try resident(at: 40)
    let late = try resident(at: 190)
    #expect(late - early < 4096, "\(early) kB, then \(late) kB")
  }

  // MARK: Words

  @Test("ask, score, evaluate, report: before and after", arguments: TinyModel.visionLanguageModels)
  func words(name: String) throws {
    let vision = try VisionFolder(name)
    try vision.teachToRead()
    let folder = vision.folder
    let options = ["--chat-template", "chatml", "--features", folder["features"]]
    func run(_ arguments: String...) throws -> Command { try Command(Command.path, arguments + options) }
    let trained = try run(
      "train", vision.base, "--recipe", "projector", "--data", folder["chat.jsonl"], "-o", folder["task.vpatch"],
      "--steps", "4", "--lr", "2e-2", "--suite", folder["suite.toml"], "--lwf", "0.1,2", "--max-drift", "1000",
      "--neutral", folder["chat.jsonl"], "--name", "seen")
    #expect(trained.code == 0 && trained.output.contains("drift     KL "), "\(trained.errors)")
    #expect(trained.output.contains("letters  held-out  acc_letter"))
    let patch = try Patch(path: folder["task.vpatch"])
    #expect(patch.header.touched.allSatisfy { $0.name.contains("projector") || $0.name.contains("merger") })
    let records = patch.annotations["forgetting"]?.array ?? []
    #expect(records.compactMap { $0["task"]?.string } == ["count", "letters"])

    // One image or two, with the mark and without; the patch changes what is said of the image.
    let both = try run(
      "generate", vision.base, "How many?", "--image", folder["images/a.png"], "--patch", folder["task.vpatch"],
      "--both",
      "--json", "--max-tokens", "2")
    #expect(both.code == 0, "\(both.errors)")
    let answers = try both.output.split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
    #expect(answers.count == 2 && answers[0]["prompt_tokens"]?.int == answers[1]["prompt_tokens"]?.int)
    let two = try run(
      "generate", vision.base, "Is <image> as <image>?", "--image", folder["images/a.png"], "--image",
      folder["images/b.png"], "--json", "--max-tokens", "2")
    let tokens = try #require(try JSON.parse(Array(two.output.utf8))["prompt_tokens"]?.int)
    #expect(two.code == 0 && tokens > 24, "\(two.errors)")
    let fewer = try run("generate", vision.base, "Is <image> as <image>?", "--image", folder["images/a.png"])
    #expect(fewer.code == 5 && fewer.says("the prompt has 2 placeholders for images, but 1 image"), "\(fewer.errors)")

    let evaluated = try run(
      "eval", vision.base, "--patch", folder["task.vpatch"], "--suite", folder["suite.toml"], "--json")
    #expect(evaluated.code == 0, "\(evaluated.errors)")
    let scored = try run(
      "score", vision.base, "--patch", folder["task.vpatch"], "--data", folder["chat.jsonl"], "--json")
    #expect(scored.code == 0 && scored.output.split(separator: "\n").count == 2, "\(scored.errors)")
    let report = try Command("report", folder["task.vpatch"], "-o", folder["report.html"])
    #expect(try report.code == 0 && folder.text("report.html").contains("letters"), "\(report.errors)")
  }

  @Test("asked wrongly, it says what to do") func refusals() throws {
    let vision = try VisionFolder("tiny-llava-next")
    try vision.teachToRead()
    let folder = vision.folder
    let image = try folder.bytes("images/a.png")
    try folder.write("images/cut.png", Array(image.prefix(image.count / 2)))
    for (name, words) in [
      ("none.png", "none.png: cannot be opened: No such file or directory"), ("images", "is not a regular file"),
      ("images/cut.png", "is cut short: the PNG ends early; get the image again"),
    ] {
      let run = try Command(
        "generate", vision.base, "How many?", "--image", folder[name], "--chat-template", "chatml", "--features", "none"
      )
      #expect(run.code != 0 && run.says(words) && run.output.isEmpty, "\(run.errors)")
    }
    let scene = try EvalScene()
    let blind = try Command(
      "generate", scene.base, "How many?", "--image", folder["images/a.png"], "--features", "none")
    #expect(blind.code == 5 && blind.says("the prompt has an image, but the model takes no images"), "\(blind.errors)")
    // The last item of the last task is looked at before the first.
    try folder.write(
      "choices.jsonl", #"{"prompt": "?", "image": "images/cut.png", "choices": ["a", "b"], "answer": 0}"#)
    let run = try Command(
      "eval", vision.base, "--suite", folder["suite.toml"], "--chat-template", "chatml", "--features", "none")
    #expect(
      run.code == 5
        && run.errors.hasSuffix(
          "the task letters: item 1 has the image cut.png, which is cut short: the PNG ends early; get the image again\n"
        ),
      "\(run.errors)")
    let rows = try train(vision, "--recipe", "vision", "--steps", "1", "--data", folder["choices.jsonl"])
    #expect(rows.code == 2 && rows.says("line 1 has ") && !folder.exists("task.vpatch"), "\(rows.errors)")
  }
}

extension VisionFolder {
  /// Gives it a tokenizer of 480 words and six marks, rows in words, and a suite.
  func teachToRead() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures/tokenizers/smollm2"
    let json = try JSON.parse(folder.bytes("\(fixtures)/tokenizer.json"))
    let words = try #require(json["model"]?["vocab"]?.object).filter { $0.value.int! < 480 }
    let known = Set(words.map(\.key))
    let merges = try #require(json["model"]?["merges"]?.array).filter { merge in
      let parts = merge.array?.compactMap(\.string) ?? merge.string!.split(separator: " ").map(String.init)
      return parts.allSatisfy(known.contains) && known.contains(parts.joined())
    }
    let mark = try #require(json["added_tokens"]?.array?.first)
    let names = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<image>", "<|image_pad|>"]
    let added = names.enumerated().map { i, name in
      mark.setting("id", to: JSON(480 + i)).setting("content", to: .string(name))
    }
    let model = json["model"]!.setting("vocab", to: .object(words)).setting("merges", to: .array(merges))
    try folder.write(
      "model/tokenizer.json", json.setting("model", to: model).setting("added_tokens", to: .array(added)).compact())
    try folder.write("model/tokenizer_config.json", #"{"eos_token": "<|im_end|>", "bos_token": "<|im_start|>"}"#)
    try edit {
      name.contains("qwen")
        ? $0.setting("image_token_id", to: JSON(485)) : $0.setting("image_token_index", to: JSON(484))
    }
    let rows = [("a", "one"), ("b", "two")].map { image, answer in
      #"{"messages": [{"role": "user", "content": [{"type": "image", "image": "images/\#(image).png"}, "#
        + #"{"type": "text", "text": "How many?"}]}, {"role": "assistant", "content": "\#(answer)"}]}"#
    }
    try folder.write("chat.jsonl", rows.joined(separator: "\n"))
    try folder.write("count.jsonl", #"{"prompt": "How many?", "image": "images/b.png", "answer": 2}"#)
    try folder.write(
      "choices.jsonl", #"{"prompt": "Which?", "image": "images/c.png", "choices": ["red", "blue"], "answer": 1}"#)
    try folder.write(
      "suite.toml",
      """
      [[task]]
      name = "count"
      kind = "exact-match"
      role = "target"
      data = "count.jsonl"
      format = "chat"
      take = "number"
      max_tokens = 2
      [[task]]
      name = "letters"
      kind = "option-letter"
      role = "held-out"
      data = "choices.jsonl"
      format = "chat"
      max_tokens = 2
      """)
  }
}
