import Base
import PatchFormat
import TestModels
import Testing

@Suite("vpatch revert, verify, show") struct RevertTests {
  let story: Story
  var folder: TestFolder { story.folder }

  init() throws { story = try Story() }

  @Test("gives the base, byte for byte, from the model and the patch alone") func exact() throws {
    try folder.write("base-copy", folder.bytes("base.safetensors"))
    #expect(try Command("/bin/rm", [story.base]).code == 0)
    let run = try Command("revert", story.sa, story.saPatch, "-o", story.out)
    #expect(run.code == 0)
    #expect(run.output.hasPrefix("reverted to \(story.out)\n"))
    #expect(try folder.bytes("out.safetensors") == folder.bytes("base-copy"))
    let json = try JSON.parse(folder.bytes("out.safetensors.vpatch.json"))
    #expect(json["patches"]?.array == [])
    #expect(json["patches"]?.array?.isEmpty == true)
  }

  @Test("the last of a chain first") func chain() throws {
    let early = try Command("revert", story.both, story.otherPatch, "-o", story.out)
    #expect(early.code == 3)
    #expect(early.says("does not have", "other.vpatch applied"))
    try Command("revert", story.both, story.mlpPatch, "-o", story.out)
    #expect(try folder.bytes("out.safetensors") == folder.bytes("sa.safetensors"))
  }

  @Test("out of the middle of a chain: the model's provenance tells") func middle() throws {
    try Command("apply", story.base, story.saPatch, story.mlpPatch, "-o", story.out)
    let run = try Command("revert", story.out, story.saPatch, "-o", folder["middle.safetensors"])
    #expect(run.code == 5)
    #expect(
      run.says("out.safetensors", "in the middle of a chain, followed by both.safetensors"), "\(run.errors)")
    #expect(try story.leftNothing("out.safetensors", "out.safetensors.vpatch.json"))
  }

  @Test("a model that is the base already") func base() throws {
    let run = try Command("revert", story.base, story.saPatch, "-o", story.out)
    #expect(run.code == 3)
    #expect(run.says("does not have", "applied: its tensors are those of the base", "there is nothing to do"))
  }

  @Test("verify: the patch alone, over its base, its target, its recipe") func verify() throws {
    let alone = try Command("verify", story.saPatch)
    #expect(alone.code == 0)
    #expect(alone.output.hasPrefix("ok  file    20 tensors, 8 chunks"))
    let all = try Command(
      "verify", story.saPatch, "--base", story.base, "--target", story.sa, "--recipe", "sa-proj", "--full")
    #expect(all.code == 0)
    for words in ["rebuilt to the target", "reverted to the base", "are in sa-proj", "the other 12 hashed too"] {
      #expect(all.output.contains(words))
    }
    let json = try JSON.parse(Array(Command("verify", story.saPatch, "--base", story.base, "--json").output.utf8))
    #expect(json["ok"]?.bool == true)
    #expect(json["checked"]?["base"] != nil)
  }

  @Test("verify: what does not hold") func verifyFails() throws {
    let recipe = try Command("verify", story.saPatch, "--recipe", "gate-up")
    #expect(recipe.code == 5)
    #expect(recipe.says("touches 8 tensors outside the recipe gate-up", "self_attn.k_proj"))
    let swapped = try Command("verify", story.saPatch, "--base", story.sa)
    #expect(swapped.code == 3)
    #expect(swapped.says("already has"))
    let wrong = try folder.file("wrong.safetensors", story.model.tuned("0.self_attn", seed: 5))
    let target = try Command("verify", story.saPatch, "--target", wrong)
    #expect(target.code == 3)
    #expect(target.says("wrong.safetensors", "is not the target of", "8 of 8 tensors differ"))
  }

  @Test("show, to a person and to a program") func show() throws {
    let text = try Command("show", story.saPatch)
    #expect(text.code == 0)
    for line in [
      "name       sa.safetensors", "recipe     sa-proj", "model      llama, 20 tensors, 8 touched",
      "forgetting unmeasured",
    ] {
      #expect(text.output.contains(line + "\n"), "\(line)")
    }
    let json = try JSON.parse(Array(Command("show", story.saPatch, "--json").output.utf8))
    #expect(json["touched"]?.array?.count == 8)
    #expect(json["annotations"]?["name"]?.string == "sa.safetensors")
    #expect(json["identity"]?.string == (try Patch(path: story.saPatch).identity.hex))
  }

  @Test("a damaged patch is found wherever it is damaged", arguments: [0, 8, 70, -1, -200, -2000])
  func damaged(offset: Int) throws {
    var bytes = try folder.bytes("sa.vpatch")
    bytes[offset < 0 ? bytes.count + offset : offset] ^= 0x10
    let patch = try folder.write("damaged.vpatch", bytes)
    for arguments in [
      ["show", patch], ["verify", patch], ["apply", story.base, patch, "-o", story.out],
      ["revert", story.sa, patch, "-o", story.out],
    ] {
      let run = try Command(Command.path, arguments)
      #expect(run.code == 2)
      #expect(run.says("damaged.vpatch"))
    }
    #expect(try story.leftNothing("damaged.vpatch"))
  }

  @Test("files that are something else") func somethingElse() throws {
    let text = try folder.write("notes.txt", "not a model\n")
    let empty = try folder.write("empty", [UInt8]())
    for (patch, words) in [
      (text, "not a vpatch file"), (empty, "not a vpatch file"), (story.base, "is a safetensors file, not a patch"),
    ] {
      let run = try Command("show", patch)
      #expect(run.code == 2)
      #expect(run.says(words), "\(run.errors)")
    }
    #expect(try Command("show", folder["missing.vpatch"]).says("missing.vpatch", "does not exist"))
    #expect(try Command("apply", text, story.saPatch, "-o", story.out).says("notes.txt", "not a safetensors file"))
    #expect(try Command("apply", empty, story.saPatch, "-o", story.out).says("empty", "it has only 0 bytes"))
    let swapped = try Command("apply", story.saPatch, story.base, "-o", story.out)
    #expect(swapped.code == 2)
    #expect(swapped.says("sa.vpatch", "is a patch, not a checkpoint", "check the order of the arguments"))
    let model = try Command("apply", story.saPatch, story.saPatch, "-o", story.out)
    #expect(model.code == 2)
    #expect(model.says("sa.vpatch", "is a patch, not a checkpoint"))
    #expect(try Command("show", folder.path).says("is a directory, not a patch"))
  }
}
