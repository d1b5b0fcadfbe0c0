import Base
import TestModels
import Testing

@Suite("vpatch diff") struct DiffCommandTests {
  let story: Story
  var folder: TestFolder { story.folder }

  init() throws { story = try Story() }

  @Test("two checkpoints: a table, JSON, a page that needs nothing else") func checkpoints() throws {
    let table = try Command("diff", story.base, story.sa)
    #expect(table.code == 0)
    #expect(table.output.contains("self_attn.q_proj"))
    let json = try Command("diff", story.base, story.sa, "--json")
    #expect(try JSON.parse(Array(json.output.utf8)).object != nil)
    let run = try Command("diff", story.base, story.sa, "--html", folder["change.html"])
    #expect(run.code == 0)
    let page = try folder.text("change.html")
    #expect(page.lowercased().hasPrefix("<!doctype html>"))
    for outside in ["src=", "href=", "@import", "url("] { #expect(!page.contains(outside), "\(outside)") }
    let again = try Command("diff", story.base, story.sa, "--html", folder["change.html"])
    #expect(again.code == 5)
    #expect(again.says("change.html", "already exists"))
    #expect(try Command("diff", story.base, story.sa, "--html", story.sa, "--force").says("is an input"))
  }

  @Test("two patches without their base: which tensors") func patches() throws {
    let run = try Command("diff", story.saPatch, story.otherPatch)
    #expect(run.code == 0)
    #expect(run.output.contains("the same: siblings"))
    #expect(run.output.contains("0 touched by both, 8 only by the first, 4 only by the second"))
    #expect(try Command("diff", story.saPatch, story.mlpPatch).output.contains("a chain"))
  }

  @Test("two patches over their base: cosine and sign conflicts, worked out by hand") func deltas() throws {
    // Deltas (1, 1, 0, 2) and (1, -1, 3, 0): product 0, one conflict of two; then (1, 2) and (2, 4): cosine 1.
    try folder.file("b.safetensors", [.f32("x", [4], [0, 0, 0, 0]), .f32("y", [2], [1, 1])])
    try folder.file("1.safetensors", [.f32("x", [4], [1, 1, 0, 2]), .f32("y", [2], [2, 3])])
    try folder.file("2.safetensors", [.f32("x", [4], [1, -1, 3, 0]), .f32("y", [2], [3, 5])])
    for i in 1...2 {
      try Command("create", folder["b.safetensors"], folder["\(i).safetensors"], "-o", folder["\(i).vpatch"])
    }
    let run = try Command(
      "diff", folder["1.vpatch"], folder["2.vpatch"], "--base", folder["b.safetensors"], "--json")
    #expect(run.code == 0)
    let json = try JSON.parse(Array(run.output.utf8))
    let deltas = json["deltas"]?.array ?? []
    #expect(deltas.map { $0["name"]?.string } == ["x", "y"])
    #expect(deltas.first?["cosine"]?.double == 0)
    #expect(abs((deltas.last?["cosine"]?.double ?? 0) - 1) < 1e-12)
    #expect(deltas.map { $0["moved_by_both"]?.int } == [2, 2])
    #expect(deltas.map { $0["sign_conflicts"]?.int } == [1, 0])
    #expect(json["total"]?["conflict_share"]?.double == 0.25)
    let wrong = try Command("diff", folder["1.vpatch"], folder["2.vpatch"], "--base", story.base)
    #expect(wrong.code == 3)
    #expect(wrong.says("is not the base of"))
  }

  @Test("what does not go together") func mixed() throws {
    let run = try Command("diff", story.saPatch, story.base)
    #expect(run.code == 5)
    #expect(run.says("sa.vpatch", "is a patch and the other is not"))
    #expect(try Command("diff", story.base, story.sa, "--base", story.base).says("--base requires two patches"))
    #expect(
      try Command("diff", story.saPatch, story.otherPatch, "--html", folder["x.html"]).says(
        "--html requires two checkpoints"))
    let none = try folder.file("none.safetensors", [.weights("z", [4])])
    #expect(try Command("diff", story.base, none).output.contains("The two have no tensor in common."))
    let missing = try Command("diff", folder["nothing.vpatch"], story.saPatch)
    #expect(missing.code == 1)
    #expect(missing.says("nothing.vpatch", "does not exist"))
  }
}
