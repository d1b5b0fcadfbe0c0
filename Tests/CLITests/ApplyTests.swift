import Base
import Checkpoints
import PatchFormat
import TestModels
import Testing

@Suite("vpatch apply") struct ApplyCommandTests {
  let story: Story
  var folder: TestFolder { story.folder }

  init() throws { story = try Story() }

  @Test("gives the tuned file, byte for byte, and its provenance beside it") func exact() throws {
    let run = try Command("apply", story.base, story.saPatch, "-o", story.out)
    #expect(run.code == 0)
    #expect(run.output.contains("8 tensors bit for bit"))
    #expect(run.output.contains("12 tensors copied from the input, not verified (--full hashes them)"))
    #expect(run.output.contains("byte for byte those the patch was made with"))
    #expect(try folder.bytes("out.safetensors") == folder.bytes("sa.safetensors"))
    #expect(try story.leftNothing("out.safetensors", "out.safetensors.vpatch.json"))
  }

  @Test("the provenance is bound to the bits") func provenance() throws {
    try Command("apply", story.base, story.saPatch, story.mlpPatch, "-o", story.out)
    let json = try JSON.parse(folder.bytes("out.safetensors.vpatch.json"))
    let patches = try [story.saPatch, story.mlpPatch].map { try Patch(path: $0) }
    #expect(json["format"]?.string == "vpatch.provenance.1")
    #expect(json["base"]?.string == patches[0].header.baseRoot.hex)
    #expect(json["target"]?.string == patches[1].header.targetRoot.hex)
    #expect(json["patches"]?.array?.map { $0["identity"]?.string } == patches.map(\.identity.hex))
    #expect(json["patches"]?.array?.map { $0["name"]?.string } == ["sa.safetensors", "both.safetensors"])
    #expect(json["patches"]?.array?.map { $0["forgetting"]?.array } == [[], []])
    #expect(json["verified"]?.object?.count == 10)
    #expect(json["unverified"]?.object?.count == 10)
  }

  @Test("a chain in its order") func chain() throws {
    #expect(try Command("apply", story.base, story.saPatch, story.mlpPatch, "-o", story.out).code == 0)
    #expect(try folder.bytes("out.safetensors") == folder.bytes("both.safetensors"))
  }

  @Test("a chain in the wrong order: names the right one") func order() throws {
    let run = try Command("apply", story.base, story.mlpPatch, story.saPatch, "-o", story.out)
    #expect(run.code == 5)
    #expect(run.says("wrong order", "give them in this order: \(story.saPatch) \(story.mlpPatch)"))
    #expect(try story.leftNothing())
  }

  @Test("the same patch twice") func twice() throws {
    let run = try Command("apply", story.base, story.saPatch, story.saPatch, "-o", story.out)
    #expect(run.code == 5)
    #expect(run.says("sa.vpatch", "is given twice"))
    try folder.write("copy.vpatch", folder.bytes("sa.vpatch"))
    let copy = try Command("apply", story.base, story.saPatch, folder["copy.vpatch"], "-o", story.out)
    #expect(copy.code == 5)
    #expect(copy.says("copy.vpatch", "is the same patch as", "sa.vpatch"))
  }

  @Test("siblings are a stack, in whatever order they are typed") func siblings() throws {
    try folder.file("sum.safetensors", story.model.tuned(TestModel.attention).tuned(TestModel.gateUp))
    for (a, b) in [(story.saPatch, story.otherPatch), (story.otherPatch, story.saPatch)] {
      let run = try Command("apply", story.base, a, b, "-o", story.out, "--force")
      #expect(run.code == 0)
      #expect(run.output.contains("stack"))
      #expect(try folder.bytes("out.safetensors") == folder.bytes("sum.safetensors"))
    }
  }

  @Test("siblings mixed with what is made on top of one: the way out is named") func mixed() throws {
    let run = try Command("apply", story.base, story.saPatch, story.otherPatch, story.mlpPatch, "-o", story.out)
    #expect(run.code == 5)
    #expect(run.says("mlp.vpatch", "a stack has patches of one base", "vpatch compose"), "\(run.errors)")
    #expect(try story.leftNothing())
  }

  @Test("a patch of something else in a chain") func stranger() throws {
    let run = try Command("apply", story.base, story.otherPatch, story.mlpPatch, "-o", story.out)
    #expect(run.code == 5)
    #expect(run.says("mlp.vpatch", "does not follow", "vpatch show"))
  }

  @Test("the wrong base: names the first tensor that differs") func wrongBase() throws {
    let wrong = try folder.file("wrong.safetensors", story.model.tuned("0.self_attn.k_proj", seed: 9))
    let named = try Command("apply", wrong, story.saPatch, "-o", story.out)
    #expect(named.code == 3)
    #expect(
      named.says(
        "1 of 8 tensors differ", "\"model.layers.0.self_attn.k_proj.weight\"", "the patch needs the model with root"))
    #expect(try story.leftNothing("wrong.safetensors"))
  }

  @Test("already applied; not applied") func done() throws {
    let run = try Command("apply", story.sa, story.saPatch, "-o", story.out)
    #expect(run.code == 3)
    #expect(run.says("sa.safetensors", "already has", "sa.vpatch", "applied"))
    let full = try Command("apply", story.sa, story.saPatch, "-o", story.out, "--full")
    #expect(full.says("already has"))
    let chain = try Command("apply", story.sa, story.saPatch, story.mlpPatch, "-o", story.out)
    #expect(chain.says("already has"))
  }

  @Test("the base under other names: says so") func prefix() throws {
    let wrapped = try folder.file("wrapped.safetensors", story.model.map { $0.renamed("language_model." + $0.name) })
    let run = try Command("apply", wrapped, story.saPatch, "-o", story.out)
    #expect(run.code == 3)
    #expect(run.says("is not the base of", "20 of 20 tensors exist under other names", "--map-keys auto"))
  }

  @Test("tensors too many, too few, of another shape") func shapes() throws {
    let lacking = try folder.file("lacking.safetensors", story.model.without("model.norm"))
    #expect(
      try Command("apply", lacking, story.saPatch, "-o", story.out).says("it lacks 1 tensor", "\"model.norm.weight\""))
    let extra = try folder.file("extra.safetensors", story.model + [.weights("lm_head.weight", [4])])
    #expect(try Command("apply", extra, story.saPatch, "-o", story.out).says("it has 1 other", "\"lm_head.weight\""))
    let other = try folder.file("other-shape.safetensors", story.model.replacing(.weights("model.norm.weight", [8])))
    let run = try Command("apply", other, story.saPatch, "-o", story.out)
    #expect(run.code == 3)
    #expect(run.says("\"model.norm.weight\" is BF16 8, but BF16 16 is expected"))
  }

  @Test("a model whose provenance says that it is another one is hashed whole") func claim() throws {
    let chained = folder["chained.safetensors"]
    #expect(try Command("apply", story.base, story.saPatch, story.mlpPatch, "-o", chained).code == 0)
    // The model before the second patch, with what was written of the one after it.
    try folder.write("sa.safetensors.vpatch.json", folder.bytes("chained.safetensors.vpatch.json"))
    let run = try Command("apply", story.sa, story.mlpPatch, "-o", story.out)
    #expect(run.code == 0)
    #expect(run.output.contains("hashed too"))
  }

  @Test("a chain applied and reverted patch by patch has the provenance of the chain")
  func steps() throws {
    func patches(_ model: String) throws -> [String?]? {
      try JSON.parse(folder.bytes(model + ".vpatch.json"))["patches"]?.array?.map { $0["identity"]?.string }
    }
    let identities = try [story.saPatch, story.mlpPatch].map { try Patch(path: $0).identity.hex }
    let (first, second) = (folder["first.safetensors"], folder["second.safetensors"])
    #expect(try Command("apply", story.base, story.saPatch, "-o", first).code == 0)
    #expect(try Command("apply", first, story.mlpPatch, "-o", second).code == 0)
    #expect(try patches("second.safetensors") == identities)
    #expect(try Command("revert", second, story.mlpPatch, "-o", story.out).code == 0)
    #expect(try patches("out.safetensors") == [identities[0]])
  }

  @Test("a stamp comes off again") func stampReverted() throws {
    let stamped = folder["stamped.safetensors"]
    #expect(try Command("apply", story.base, story.saPatch, "-o", stamped, "--stamp").code == 0)
    #expect(try Command("revert", stamped, story.saPatch, "-o", story.out).code == 0)
    #expect(try folder.bytes("out.safetensors") == folder.bytes("base.safetensors"))
  }

  @Test("--full finds an untouched tensor that differs") func full() throws {
    let other = try folder.file("near.safetensors", story.model.tuned("model.norm"))
    let loose = try Command("apply", other, story.saPatch, "-o", story.out)
    #expect(loose.code == 0)
    #expect(loose.output.contains("12 tensors copied from the input, not verified"))
    let run = try Command("apply", other, story.saPatch, "-o", folder["out2.safetensors"], "--full")
    #expect(run.code == 3)
    #expect(run.says("1 of 20 tensors differ", "\"model.norm.weight\""))
    let good = try Command("apply", story.base, story.saPatch, "-o", folder["out3.safetensors"], "--full")
    #expect(good.output.contains("hashed too: all match the patch"))
  }

  @Test("--stamp writes the provenance into the metadata, at the price of the bytes") func stamp() throws {
    let run = try Command("apply", story.base, story.saPatch, "-o", story.out, "--stamp")
    #expect(run.code == 0)
    let made = try SafetensorsCheckpoint(path: story.out)
    let stamp = made.files[0].header.metadata.first { $0.key == "vpatch" }?.value.string
    #expect(try JSON.parse(Array((stamp ?? "").utf8))["patches"]?.array?.count == 1)
    #expect(try made.testTensors() == SafetensorsCheckpoint(path: story.sa).testTensors())
    #expect(try folder.bytes("out.safetensors") != folder.bytes("sa.safetensors"))
    // A stamped model is still the model: the next patch fits.
    #expect(try Command("apply", story.out, story.mlpPatch, "-o", folder["next.safetensors"]).code == 0)
  }

  @Test("--json") func json() throws {
    let run = try Command("apply", story.base, story.saPatch, "-o", story.out, "--json")
    let json = try JSON.parse(Array(run.output.utf8))
    #expect(json["touched_tensors"]?.int == 8)
    #expect(json["unverified_tensors"]?.int == 12)
    #expect(json["files_exact"]?.bool == true)
    #expect(json["provenance"]?.string == story.out + ".vpatch.json")
  }

  @Test("one and two threads write the same bytes") func threads() throws {
    try Command("apply", story.base, story.saPatch, "-o", folder["1.safetensors"], "--threads", "1")
    try Command("apply", story.base, story.saPatch, "-o", folder["2.safetensors"], "--threads", "2")
    #expect(try folder.bytes("1.safetensors") == folder.bytes("2.safetensors"))
  }
}
