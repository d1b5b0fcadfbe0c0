import PatchFormat
import TestModels
import Testing

@Suite("vpatch compose and rebase") struct ComposeCommandTests {
  let story: StackStory
  var folder: TestFolder { story.folder }

  /// more is made on top of sa, and changes one of its tensors again.
  init() throws {
    story = try StackStory()
    let tuned = try folder.testTensors("sa.safetensors").tuned(["norm", "q_proj"], seed: 6)
    let path = try folder.file("more.safetensors", tuned)
    try story.done("create", folder["sa.safetensors"], path, "-o", folder["more.vpatch"], "--name", "more")
  }

  @Test("compose: a chain by its names in the store, as one patch") func compose() throws {
    let text = try story.done("compose", "sa", "more", "-o", folder["both"], "--base", story.base, "--name", "chain")
    #expect(text.contains("composed  ") && text.contains("wrote     "))
    try story.done("apply", story.base, folder["both"], "-o", folder["out"])
    #expect(try folder.bytes("out") == folder.bytes("more.safetensors"))
    try story.done("revert", folder["out"], folder["both"])
    #expect(try folder.bytes("out") == folder.bytes("base.safetensors"))
    // It can be called by its name now, and its history is in it.
    let json = try story.json("show", "chain")
    #expect(
      json["annotations"]?["made"]?["composed"]?.array?.map(\.string) == [
        try story.identity("sa").hex, try story.identity("more").hex,
      ])
    let existing = try story.run("compose", "sa", "more", "-o", folder["both"], "--base", story.base)
    #expect(existing.code == 5 && existing.says("both", "already exists"))
  }

  @Test("compose: what cannot be") func refused() throws {
    let order = try story.run("compose", "more", "sa", "-o", folder["x"])
    #expect(order.code == 5 && order.says("wrong order", "give them in this order: "), "\(order.errors)")
    let siblings = try story.run("compose", "sa", "mlp", "-o", folder["x"])
    #expect(siblings.code == 5 && siblings.says("was made from the same base as"), "\(siblings.errors)")
    #expect(try story.run("compose", "sa", "-o", folder["x"]).says("already is one patch"))
    let wrong = try story.run("compose", "sa", "more", "-o", folder["x"], "--base", folder["both.safetensors"])
    #expect(wrong.code == 3 && wrong.says("both.safetensors", "q_proj"), "\(wrong.errors)")
    #expect(try story.run("compose", "sa", "moer", "-o", folder["y"]).says("did you mean more?"))
    #expect(!folder.exists("x") && !folder.exists("y"))
  }

  @Test("rebase: out of its chain, onto the base") func rebase() throws {
    let rebase = ["rebase", "more", "--base", folder["sa.safetensors"], "--onto", story.base]
    #expect(try story.run(rebase + ["-o", folder["alone"], "--name", "alone"]).code == 0)
    try story.done("apply", story.base, "alone", "-o", folder["out"])
    let out = try folder.testTensors("out")
    let more = try folder.testTensors("more.safetensors")
    // Where both bases have the same weights, the patch's own bits.
    #expect(out["model.norm.weight"] == more["model.norm.weight"])
    #expect(out["model.layers.0.self_attn.k_proj.weight"] == story.model["model.layers.0.self_attn.k_proj.weight"])
    let json = try story.json("show", "alone")
    #expect(json["annotations"]?["made"]?["rebased"]?["from"]?.string == (try story.identity("more").hex))
    #expect(json["forgetting"]?["status"]?.string == "unmeasured")
    // A sibling now: it goes into a stack with the others, and out again.
    try story.done("stack", "new", "triage", "--base", story.base, "alone", "sa", "mlp@0.5")
    try story.done("switch", folder["out"], "triage")
    try story.done("revert", folder["out"])
    #expect(try folder.bytes("out") == folder.bytes("base.safetensors"))
    let existing = try story.run(rebase + ["-o", folder["alone"]])
    #expect(existing.code == 5 && existing.says("alone", "already exists"))
    let wrong = try story.run("rebase", "more", "--base", story.base, "--onto", story.base, "-o", folder["x"])
    #expect(wrong.code == 3, "\(wrong.errors)")
    #expect(!folder.exists("x"))
  }

  @Test("rebase: the store knows where the old base is; without one it is asked for") func seenBase() throws {
    let onto = try folder.file("onto.safetensors", try folder.testTensors("base.safetensors").tuned("embed", seed: 3))
    let known = try story.done("rebase", "sa", "--onto", onto, "-o", folder["known.vpatch"], "--no-store")
    let given = try story.done(
      "rebase", "sa", "--base", story.base, "--onto", onto, "-o", folder["given.vpatch"], "--no-store")
    #expect(known.contains("rebased") && given.contains("rebased"))
    #expect(try Patch(path: folder["known.vpatch"]).identity == Patch(path: folder["given.vpatch"]).identity)
    let file = try folder.write("alone.vpatch", folder.bytes("known.vpatch"))
    let unknown = try story.run("rebase", file, "--onto", story.base, "-o", folder["x"], "--store", folder["none"])
    #expect(unknown.code == 5 && unknown.says("alone.vpatch", "give it with --base MODEL"), "\(unknown.errors)")
  }
}
