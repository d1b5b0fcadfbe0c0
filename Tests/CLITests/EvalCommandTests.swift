import Base
import Foundation
import PatchFormat
import TestModels
import Testing

@Suite("vpatch eval") struct EvalCommandTests {
  let scene: EvalScene
  var folder: TestFolder { scene.folder }

  init() throws { scene = try EvalScene() }

  private func json(_ run: Command) throws -> JSON {
    #expect(run.code == 0, "\(run.errors)")
    return try JSON.parse(Array(run.output.utf8))
  }

  /// What records say of the measurement, without dates and files.
  private func numbers(_ json: JSON) -> [String] {
    (json["forgetting"]?["records"]?.array ?? []).map { record in
      record.setting("sources", to: nil).setting("date", to: nil).compact()
    }
  }

  @Test("a model alone: its values") func values() throws {
    let run = try scene.eval(scene.base)
    #expect(run.code == 0, "\(run.errors)")
    for row in [
      "text     held-out  perplexity", "choice   held-out  acc_norm", "choice   probe     acc  ", "numbers  probe",
    ] {
      #expect(run.output.contains(row), "\(row)")
    }
    #expect(!run.output.contains("drift"))
    #expect(run.says("note: drift measures the divergence from a base: give --base, --patch or --stack"))
    let tasks = try #require(json(try scene.eval(scene.base, "--json"))["tasks"]?.array)
    #expect(tasks.map { $0["n"]?.int } == [3, 24, 24, 12, 12])
    #expect(try #require(tasks[0]["value"]?.double) > 1)
  }

  @Test("a patch in memory: measured, and written into its file and the store") func patch() throws {
    let run = try scene.eval(scene.base, "--patch", scene.saPatch, "--record", "--json")
    let result = try json(run)
    let patch = try Patch(path: scene.saPatch)
    #expect(result["root"]?.string == patch.header.targetRoot.hex)
    #expect(result["base_root"]?.string == patch.header.baseRoot.hex)
    #expect(result["recorded"] == .array([.string(scene.saPatch), .string("sa in the store")]))
    let records = try #require(patch.annotations["forgetting"]?.array)
    #expect(records.map { $0["task"]?.string } == ["text", "choice", "choice", "count", "drift", "numbers"])
    for record in records {
      #expect(record["status"]?.string == "measured")
      #expect(record["measured"]?.string == patch.header.targetRoot.hex)
      #expect(record["reference"]?.string == patch.header.baseRoot.hex)
      #expect(record["evaluator"]?["name"]?.string == "vpatch")
      #expect(record["probe_set"]?.string?.count == 64)
      #expect(record["settings"]?["compute"]?.string == "f32")
    }
    #expect(try #require(records[4]["after"]?.double) > 0.01)
    #expect(try #require(records[0]["change"]?.double) != 0)
    let show = try Command("show", scene.saPatch).output
    #expect(show.contains("drift      KL ") && show.contains("(n 24)"))
    // Once more: records of the same measurement are replaced, not added.
    #expect(try scene.eval(scene.base, "--patch", "sa", "--record").code == 0)
    let stored = try json(try Command("show", "sa", "--json", "--store", folder.store))
    #expect(stored["forgetting"]?["records"]?.array?.count == 6)
    #expect(try Command("gate", scene.saPatch, "--max-forgetting", "100").code == 0)
  }

  @Test("the model that a patch makes is measured as the patch in memory is") func folders() throws {
    let inMemory = try json(try scene.eval(scene.base, "--patch", scene.saPatch, "--json"))
    let folders = try json(try scene.eval(scene.sa, "--base", scene.base, "--json"))
    #expect(numbers(inMemory).count == 6)
    #expect(numbers(inMemory) == numbers(folders))
  }

  @Test("results files: kept for the base, and read by annotate") func results() throws {
    let (base, tuned) = (folder["base.json"], folder["tuned.json"])
    let first = try scene.eval(
      scene.base, "--patch", scene.saPatch, "--base-results", base, "--results", tuned, "--json")
    let again = try scene.eval(scene.base, "--patch", scene.saPatch, "--base-results", base)
    #expect(again.says("note: the base's results are read from \(base)"))
    let second = try json(try scene.eval(scene.sa, "--base", scene.base, "--base-results", base, "--json"))
    #expect(numbers(second) == numbers(try json(first)))
    let items = try JSON.parse(folder.bytes("tuned.json"))["tasks"]?.array?[1]["items"]?.array
    #expect(items?.count == 24)
    #expect(items?.first?["log_likelihoods"]?.array?.count == 3)
    let annotate = try Command(
      "annotate", scene.saPatch, "--results", tuned, "--base-results", base, "--model", scene.sa)
    #expect(annotate.code == 0, "\(annotate.errors)")
    #expect(try Patch(path: scene.saPatch).annotations["forgetting"]?.array?.count == 6)
    // Of another model they are refused, and an existing file is not replaced.
    let other = try scene.eval(scene.base, "--patch", scene.mlpPatch, "--results", tuned)
    #expect(other.code == 5 && other.says(tuned, "already exists"))
    let swapped = try scene.eval(scene.sa, "--base", scene.base, "--base-results", tuned)
    #expect(swapped.code == 5 && swapped.errors.contains("is of a model with the root"))
    let wrong = try Command(
      "annotate", scene.mlpPatch, "--results", tuned, "--base-results", base, "--model", folder["mlp"])
    #expect(wrong.code == 5 && wrong.says("is of a model with the root"))
  }

  @Test("a stack: measured as such, no longer predicted") func stack() throws {
    let new = try Command("stack", "new", "both", "--base", scene.base, scene.saPatch, scene.mlpPatch)
    #expect(new.code == 0, "\(new.errors)")
    let run = try scene.eval(scene.base, "--stack", "both", "--record")
    #expect(run.code == 0, "\(run.errors)")
    let show = try json(try Command("stack", "show", "both", "--json", "--store", folder.store))
    #expect(show["forgetting"]?["status"]?.string == "measured")
    #expect(show["forgetting"]?["records"]?.array?.count == 6)
    let siblings = try json(
      try scene.eval(scene.base, "--patch", scene.mlpPatch, "--patch", scene.saPatch, "--json"))
    #expect(siblings["root"]?.string == (show["forgetting"]?["records"]?.array?[0]["measured"]?.string))
  }

  @Test("what cannot be measured, or not recorded") func refusals() throws {
    let chain = try Command("create", scene.sa, folder["mlp"], "-o", folder["next.vpatch"], "--no-store")
    #expect(chain.code == 0, "\(chain.errors)")
    let next = folder["next.vpatch"]
    for (arguments, code, words) in [
      ([scene.base, "--record"], 64, "--record requires --patch or --stack"),
      ([scene.base, "--patch", "a", "--stack", "b"], 64, "Give --patch or --stack, not both."),
      ([scene.base, "--base-results", "x.json"], 64, "--base-results requires"),
      ([scene.sa, "--patch", scene.mlpPatch], 3, "base"),
      ([scene.base, "--patch", scene.saPatch, "--patch", next, "--record"], 5, "a chain of 2; measure each on top"),
      (
        [scene.base, "--patch", scene.saPatch, "--base", scene.sa, "--record"], 5, "but --base names another; leave out"
      ),
      ([folder["sa/model.safetensors"]], 5, "give the model's folder"),
      ([scene.saPatch], 2, "is a patch, not a checkpoint"),
    ] as [([String], Int32, String)] {
      let run = try Command(Command.path, ["eval"] + arguments + ["--suite", scene.suite])
      #expect(run.code == code, "\(arguments): \(run.errors)")
      #expect(run.errors.contains(words), "\(arguments): \(run.errors)")
    }
    try folder.write("sa/tokenizer.json", folder.text("base/tokenizer.json") + "\n")
    let other = try scene.eval(scene.sa, "--base", scene.base)
    #expect(other.code == 5 && other.says("has another tokenizer or chat template than \(scene.base)"))
    try folder.write("sa/tokenizer_config.json", #"{"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}"#)
    let none = try scene.eval(scene.sa)
    #expect(none.code == 5 && none.says("has no chat template"))
    try folder.write("suite.toml", "[[task]]\nname = \"x\"\nkind = \"kl\"")
    #expect(try scene.eval(scene.base).says("suite.toml: the task \"x\" has no \"role\""))
  }
}
