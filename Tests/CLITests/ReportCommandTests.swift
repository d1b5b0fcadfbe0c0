import Base
import Foundation
import PatchFormat
import TestModels
import Testing

@Suite("vpatch report") struct ReportCommandTests {
  let story: StackStory
  var folder: TestFolder { story.folder }

  init() throws { story = try StackStory() }

  /// Notes in a patch file how it was trained.
  private func train(_ path: String) throws {
    let record = """
      {"recipe":"sa-proj","data":[],"settings":{"lr":0.00002},"kernels":"none","steps":2,"tokens":10,"seconds":1,
       "tokens_per_second":10,"curve":{"step":[1,2],"loss":[2.5,1.5],"lr":[0.00001,0.00002]}}
      """
    let patch = try Patch(path: path)
    try patch.write(
      annotations: patch.annotations.setting("training", to: try JSON.parse(record)), to: path, replacing: true)
  }

  @Test("a patch: its page, JSON, and what is not overwritten") func patch() throws {
    try train(folder["sa.vpatch"])
    #expect(
      try story.done("show", folder["sa.vpatch"]).contains(
        "trained    sa-proj in 2 steps, 10 tokens in 1.00 s, 10.0 a second\nwith       lr 0.00002\n"))
    let output = try story.done("report", folder["sa.vpatch"], "-o", folder["sa.html"])
    #expect(output == "wrote \(folder["sa.html"])\n")
    let page = try folder.text("sa.html")
    #expect(page.hasPrefix("<!doctype html>") && page.contains("<h1>sa</h1>") && page.contains("Loss: 2.50 → 1.50"))
    // The store knows its siblings.
    #expect(page.contains("<b>mlp</b>") && page.contains("<b>both</b>") && page.contains("base.safetensors"))
    for outside in ["src=", "href=", "@import", "url("] { #expect(!page.contains(outside), "\(outside)") }
    let again = try story.run("report", folder["sa.vpatch"], "-o", folder["sa.html"])
    #expect(again.code == 5 && again.says("sa.html", "already exists"))
    let onto = try story.run("report", folder["sa.vpatch"], "-o", folder["sa.vpatch"], "--force")
    #expect(onto.code == 5 && onto.says("is an input"))
    let json = try story.json("report", folder["sa.vpatch"], "-o", folder["sa.html"], "--force")
    #expect(json["output"]?.string == folder["sa.html"])
    #expect(json["training"]?["steps"] == JSON(2))
    #expect(json["lineage"]?["siblings"]?.array?.count == 2)
  }

  @Test("over the base, and over what is not the base") func base() throws {
    try story.done("report", "sa", "--base", story.base, "-o", folder["sa.html"])
    #expect(try folder.text("sa.html").contains("Measured against the base"))
    let wrong = try story.run("report", "sa", "--base", folder["sa.safetensors"], "-o", folder["x.html"])
    #expect(wrong.code == 3 && !folder.exists("x.html"))
    let several = try story.run("report", "sa", "mlp", "--base", story.base, "-o", folder["x.html"])
    #expect(several.code == 5 && several.says("--base requires a single patch or stack"))
  }

  @Test("a stack of the store, a stack file, and several compared") func stacks() throws {
    try story.done("stack", "new", "pair", "--base", story.base, "sa@0.5", "mlp")
    try story.done("report", "pair", "-o", folder["pair.html"])
    let page = try folder.text("pair.html")
    #expect(page.contains("<h1>pair</h1>") && page.contains("so it cannot be predicted"))
    try story.done("report", "pair", "--base", story.base, "-o", folder["over.html"])
    #expect(try folder.text("over.html").contains("Measured against the base"))
    try story.done("stack", "export", "pair", "-o", folder["pair.stack"])
    let file = try story.json("report", folder["pair.stack"], "-o", folder["file.html"])
    #expect(file["members"]?.array?.count == 2)
    let both = try story.json("report", "sa", folder["mlp.vpatch"], "pair", "-o", folder["all.html"])
    #expect(both["compared"]?.array?.map { $0["name"]?.string } == ["sa", "mlp", "pair"])
    let missing = try story.run("report", "nobody", "-o", folder["x.html"])
    #expect(missing.code == 1 && missing.says("nobody", "does not exist"))
  }

  @Test("without a store it says that it had none") func storeless() throws {
    let run = try Command(
      Command.path, ["report", folder["sa.vpatch"], "-o", folder["sa.html"], "--store", folder["none"]])
    #expect(run.code == 0, "\(run.errors)")
    #expect(try folder.text("sa.html").contains("There is no store"))
  }
}
