import Base
import Foundation
import TestModels
import Testing

@Suite("vpatch switch and revert in place, with stacks") struct SwitchCommandTests {
  let story: StackStory
  var folder: TestFolder { story.folder }

  init() throws { story = try StackStory() }

  /// What a stack makes of the base, by another way.
  private func applied(_ members: String...) throws -> [UInt8] {
    #expect(try story.run(["apply", story.base] + members + ["-o", folder["applied"], "--force"]).code == 0)
    return try folder.bytes("applied")
  }

  @Test("from the base to a stack, to another, and back") func around() throws {
    let model = try story.copy()
    try story.done("stack", "new", "one", "--base", story.base, "sa@0.8", "mlp")
    try story.done("stack", "new", "two", "--base", story.base, "both", "sa")
    let first = try story.done("switch", model, "one")
    #expect(first.contains("  now         stack one (sum)\n") && first.contains("verified before and after"))
    #expect(try folder.bytes("model.safetensors") == applied("sa@0.8", "mlp"))
    let again = try story.run("switch", model, "one")
    #expect(again.code == 5 && again.says("already is that stack; there is nothing to do"))
    try story.done("switch", model, "two")
    #expect(try folder.bytes("model.safetensors") == applied("both", "sa"))
    // One patch, with its scale, and a file.
    try story.done("switch", model, "sa@0.5")
    #expect(try folder.bytes("model.safetensors") == applied("sa@0.5"))
    try story.done("switch", model, folder["mlp.vpatch"])
    #expect(try folder.bytes("model.safetensors") == folder.bytes("mlp.safetensors"))
    #expect(try story.done("revert", model).contains("  now         the base\n"))
    #expect(try folder.bytes("model.safetensors") == folder.bytes("base.safetensors"))
    let nothing = try story.run("revert", model)
    #expect(nothing.code == 5 && nothing.says("has no patch applied; there is nothing to do"), "\(nothing.errors)")
    let status = try story.json("status", model)
    #expect(status["ok"]?.bool == true && status["patches"]?.array?.isEmpty == true)
    #expect(status["earlier_states"] == JSON(5))
  }

  @Test("a member from the middle: as if it had never been there") func middle() throws {
    let model = try story.copy()
    try story.done("stack", "new", "all", "--base", story.base, "sa@0.8", "both", "mlp")
    try story.done("switch", model, "all")
    try story.done("revert", model, "both")
    #expect(try folder.bytes("model.safetensors") == applied("sa@0.8", "mlp"))
    let absent = try story.run("revert", model, "both")
    #expect(absent.code == 3 && absent.errors.contains("both"), "\(absent.errors)")
    try story.done("revert", model, "mlp")
    #expect(try folder.bytes("model.safetensors") == applied("sa@0.8"))
    // Not in place: the model stays, and a plain apply gives another to take from.
    try story.done("revert", folder["applied"], "sa", "-o", folder["out"])
    #expect(try folder.bytes("out") == folder.bytes("base.safetensors"))
    try story.done("revert", model, "sa")
    #expect(try folder.bytes("model.safetensors") == folder.bytes("base.safetensors"))
  }

  @Test("one step back, and back again") func last() throws {
    let model = try story.copy()
    try story.done("switch", model, "sa")
    try story.done("switch", model, "mlp@0.5")
    let scaled = try folder.bytes("model.safetensors")
    try story.done("revert", model, "--last")
    #expect(try folder.bytes("model.safetensors") == folder.bytes("sa.safetensors"))
    try story.done("revert", model, "--last")
    #expect(try folder.bytes("model.safetensors") == scaled)
    // A chain that apply wrote has no earlier state: its last patch comes off.
    let both = try folder.file("more.safetensors", folder.testTensors("sa.safetensors").tuned("norm"))
    try story.done("create", folder["sa.safetensors"], both, "-o", folder["more.vpatch"], "--name", "more")
    try story.done("apply", story.base, "sa", "more", "-o", folder["chain"])
    let under = try story.run("revert", folder["chain"], "sa")
    #expect(under.code == 5 && under.says("has sa in the middle of a chain, followed by more"), "\(under.errors)")
    try story.done("revert", folder["chain"], "--last")
    #expect(try folder.bytes("chain") == folder.bytes("sa.safetensors"))
  }

  @Test("a stack on the end of a chain") func onChain() throws {
    let tensors = try folder.testTensors("sa.safetensors")
    for (name, part) in [("c", ["norm"]), ("d", ["down_proj", "norm"])] {
      let path = try folder.file("\(name).safetensors", tensors.tuned(part, seed: 5))
      try story.done("create", folder["sa.safetensors"], path, "-o", folder["\(name).vpatch"], "--name", name)
    }
    try story.done("stack", "new", "upper", "--base", folder["sa.safetensors"], "c@0.5", "d")
    try story.done("apply", folder["sa.safetensors"], "--stack", "upper", "-o", folder["expected"])
    let model = try story.copy()
    let base = try story.run("switch", model, "upper")
    #expect(base.code == 3 && base.says("was not made from the base of the stack \"upper\""), "\(base.errors)")
    try story.done("switch", model, "sa")
    try story.done("switch", model, "upper")
    #expect(try folder.bytes("model.safetensors") == folder.bytes("expected"))
    #expect(try story.json("status", model)["patches"]?.array?.count == 2)
    try story.done("revert", model, "d")
    try story.done("apply", folder["sa.safetensors"], "c@0.5", "-o", folder["without"])
    #expect(try folder.bytes("model.safetensors") == folder.bytes("without"))
    // To a stack of the chain's first base: all of it comes off.
    try story.done("switch", model, "mlp")
    #expect(try folder.bytes("model.safetensors") == folder.bytes("mlp.safetensors"))
  }

  @Test("an undo that is lost: said, and --base is the way out") func lostUndo() throws {
    let model = try story.copy()
    try story.done("stack", "new", "triage", "--base", story.base, "sa@0.5", "mlp")
    try story.done("switch", model, "triage")
    let switched = try folder.bytes("model.safetensors")
    let composite = try #require(try story.json("stack", "show", "triage")["composite"]?.string)
    try FileManager.default.removeItem(atPath: story.stored(composite))
    for arguments in [["revert", model], ["revert", model, "sa"], ["switch", model, "both"]] {
      let run = try story.run(arguments)
      #expect(run.code == 1)
      #expect(run.says("needs the undo of its stack", "vpatch revert MODEL --base BASE"), "\(run.errors)")
    }
    #expect(try folder.bytes("model.safetensors") == switched)
    let wrong = try story.run("revert", model, "--base", folder["mlp.safetensors"])
    #expect(wrong.code == 3 && wrong.says("is not the base of", "vpatch status"), "\(wrong.errors)")
    try story.done("revert", model, "--base", story.base)
    #expect(try folder.bytes("model.safetensors") == folder.bytes("base.safetensors"))
    // The members are there: the composite is made again.
    try story.done("switch", model, "triage")
    #expect(try folder.bytes("model.safetensors") == switched)
    #expect(try PathKind.of(story.stored(composite)) == .file)
    #expect(try story.run("revert", model, "sa", "--base", story.base).code == 64)
    #expect(try story.run("revert", model, "sa", "--last").code == 64)
    #expect(try story.run("revert", model, "--force").code == 64)
  }

  @Test("a model without a provenance is hashed, and named patches come off by its bits") func plain() throws {
    let model = try folder.write("plain.safetensors", folder.bytes("sa.safetensors"))
    let all = try story.run("revert", model)
    #expect(all.code == 5)
    #expect(all.says("has no provenance beside it", "name the patch to revert"), "\(all.errors)")
    let wrong = try story.run("revert", model, "mlp")
    #expect(wrong.code == 3, "\(wrong.errors)")
    let stack = try story.run("switch", model, "mlp")
    #expect(stack.code == 3 && stack.says("was not made from the base of the stack"), "\(stack.errors)")
    try story.done("revert", model, "sa")
    #expect(try folder.bytes("plain.safetensors") == folder.bytes("base.safetensors"))
  }

  @Test("rm and gc spare what a model in use needs") func needed() throws {
    let model = try story.copy()
    try story.done("stack", "new", "triage", "--base", story.base, "sa@0.5", "mlp")
    try story.done("switch", model, "triage")
    try story.done("stack", "delete", "triage")
    #expect(try story.done("gc", "--yes") == "nothing to delete\n")
    try story.done("revert", model)
    #expect(try folder.bytes("model.safetensors") == folder.bytes("base.safetensors"))
    try story.done("switch", model, "sa")
    let rm = try story.run("rm", "sa")
    #expect(rm.code == 5 && rm.says("is needed to revert", "model.safetensors"), "\(rm.errors)")
  }

  @Test("names: unknown, ambiguous, of a stack and of a patch") func names() throws {
    let model = try story.copy()
    try story.done("stack", "new", "triage", "--base", story.base, "sa")
    #expect(try story.run("switch", model, "triag").says("triag", "did you mean triage?"))
    try story.done("tag", "sa", "good")
    try story.done("tag", "mlp", "good")
    let tag = try story.run("switch", model, "good")
    #expect(tag.code == 5 && tag.says("good: is a tag of several patches: "), "\(tag.errors)")
    try story.done("switch", model, String(story.identity("mlp").hex.prefix(12)))
    #expect(try folder.bytes("model.safetensors") == folder.bytes("mlp.safetensors"))
    #expect(try story.run("switch", folder["none.safetensors"], "sa").code == 1)
    #expect(try story.run("switch", folder["sa.vpatch"], "sa").says("is a patch, not a checkpoint"))
  }

  @Test("a folder of two shards, with side files that a member changes") func directory() throws {
    let story = try StackStory(isDirectory: true)
    let folder = story.folder
    let original = try folder.tree("base")
    for (name, bytes) in original { try folder.write("model/\(name)", bytes) }
    func model() throws -> [String: [UInt8]] { try folder.tree("model").filter { $0.key != "vpatch.json" } }
    try story.done("switch", folder["model"], "sa")
    #expect(try model() == folder.tree("sa"))
    try story.done("switch", folder["model"], "mlp")
    #expect(try model() == folder.tree("mlp"))
    try story.done("stack", "new", "triage", "--base", story.base, "sa@0.5", "mlp")
    try story.done("apply", story.base, "--stack", "triage", "-o", folder["applied"])
    try story.done("switch", folder["model"], "triage")
    #expect(try model() == folder.tree("applied").filter { $0.key != "vpatch.json" })
    try story.done("revert", folder["model"], "mlp")
    try story.done("revert", folder["model"])
    #expect(try model() == original)
  }
}
