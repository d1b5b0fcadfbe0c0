import Base
import Foundation
import PatchFormat
import TestModels
import Testing

@Suite("vpatch status") struct StatusCommandTests {
  let story: StackStory
  var folder: TestFolder { story.folder }

  init() throws { story = try StackStory() }

  @Test("what a model is, to a person and to a program, without the store") func what() throws {
    try story.done("stack", "new", "triage", "--base", story.base, "sa@0.8", "mlp")
    let model = try story.copy()
    try story.done("switch", model, "triage")
    let text = try Command("status", model, environment: ["VPATCH_STORE": folder["none"]])
    #expect(text.code == 0 && text.errors.isEmpty)
    for line in ["stack triage (sum)", "sa@0.8  sa-proj", "mlp  gate-up", "1 state (vpatch revert --last)"] {
      #expect(text.output.contains(line), "\(text.output)")
    }
    let json = try story.json("status", model)
    #expect(json["ok"]?.bool == true && json["earlier_states"] == JSON(1))
    #expect(json["base"]?.string == (try Patch(path: folder["sa.vpatch"]).header.baseRoot.hex))
    #expect(json["patches"]?.array?.first?["stack"]?["name"]?.string == "triage")
    let full = try story.json("status", model, "--full")
    #expect(full["root_hashed"]?.bool == true && full["unverified_tensors"] == JSON(0))
    #expect(full["root"] == json["root"])
    // A model that vpatch never wrote.
    let plain = try story.done("status", story.base)
    #expect(plain.contains("unknown: there is no provenance beside it"))
    #expect(try story.json("status", story.base)["root"] == json["base"])
  }

  @Test("a model that was edited behind vpatch's back") func edited() throws {
    try story.done("apply", story.base, "sa", "-o", folder["out"])
    let tensors = try folder.testTensors("out")
    // A touched tensor is seen at once, another with --full.
    for (part, isSeen) in [("0.self_attn.q_proj", true), ("embed_tokens", false)] {
      try folder.file("out", tensors.tuned(part, seed: 9))
      let run = try story.run("status", folder["out"])
      #expect(run.code == (isSeen ? 4 : 0))
      let full = try story.run("status", folder["out"], "--full")
      #expect(full.code == 4)
      #expect(
        full.says("does not match its provenance: 1 tensor differs: \"model.", part, "vpatch create"),
        "\(full.errors)")
      #expect(
        try JSON.parse(Array(story.run("status", folder["out"], "--full", "--json").output.utf8))["ok"]?.bool == false)
    }
    // Nothing that it would not survive is done to it.
    let before = try folder.bytes("out")
    try folder.file("out", tensors.tuned("0.self_attn.q_proj", seed: 9))
    for arguments in [["revert", folder["out"]], ["switch", folder["out"], "mlp"]] {
      let run = try story.run(arguments)
      #expect(run.code == 3 && run.says("q_proj"), "\(run.errors)")
    }
    #expect(try folder.bytes("out") != before)
    try folder.file("out", tensors.without("model.norm") + [.weights("more", [2, 2])])
    #expect(
      try story.run("status", folder["out"]).says(
        "1 tensor is missing: \"model.norm.weight\"; 1 tensor is new: \"more\""))
  }

  @Test("a provenance that is damaged, or another model's") func provenance() throws {
    try story.done("apply", story.base, "sa", "-o", folder["out"])
    let text = try folder.text("out.vpatch.json")
    let root = try Patch(path: folder["sa.vpatch"]).header.targetRoot.hex
    try folder.write("out.vpatch.json", text.replacing(root, with: String(root.reversed())))
    let damaged = try story.run("status", folder["out"])
    #expect(damaged.code == 2 && damaged.says("out.vpatch.json", "remove that file"), "\(damaged.errors)")
    // No longer JSON: it is nobody's, and the model is hashed.
    try folder.write("out.vpatch.json", String(text.dropLast(5)))
    #expect(try story.json("status", folder["out"])["root"]?.string == root)
    try FileManager.default.removeItem(atPath: folder["out.vpatch.json"])
    #expect(try story.json("status", folder["out"])["root"]?.string == root)
    try story.done("apply", story.base, "mlp", "-o", folder["other"])
    try folder.write("out.vpatch.json", folder.bytes("other.vpatch.json"))
    #expect(try story.run("status", folder["out"]).says("does not match its provenance", "tensors differ"))
  }
}
