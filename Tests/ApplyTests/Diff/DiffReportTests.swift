import Testing

@testable import Apply
@testable import Base
@testable import Families

@Suite("Diff: reports")
struct DiffReportTests {
  typealias Tensor = DiffFolder.Tensor

  /// Two layers with q_proj and a norm, an embedding, and one of each kind that cannot be compared.
  static func model(moved: Bool) -> [Tensor] {
    var tensors: [Tensor] = [.bf16("model.embed_tokens.weight", [1, 2, 3, 4])]
    for layer in 0..<2 {
      let (x, y): (Float, Float) = moved ? (3, 4.0 + Float(layer + 1) / 4) : (3, 4)
      tensors.append(.bf16("model.layers.\(layer).self_attn.q_proj.weight", [x, y], shape: [1, 2]))
      tensors.append(.bf16("model.layers.\(layer).input_layernorm.weight", [1, 1]))
    }
    return tensors + [
      .bf16(moved ? "new" : "old", [1]), .bf16("model.norm.weight", [1, 2], shape: moved ? [2, 1] : [1, 2]),
      moved ? Tensor("cast", "F32", [1, 2.5] as [Float]) : .bf16("cast", [1, 2.5]),
    ]
  }

  func diff() throws -> CheckpointDiff { try DiffFolder().diff(Self.model(moved: false), Self.model(moved: true)) }

  @Test("tensors of one side, of another shape and of another dtype are listed")
  func unmatched() throws {
    let diff = try diff()
    #expect(diff.added.map(\.name) == ["new"])
    #expect(diff.removed.map(\.name) == ["old"])
    #expect(diff.reshaped.map(\.name) == ["model.norm.weight"])
    #expect(diff.retyped.map(\.name) == ["cast"])
    // A retyped tensor is compared by value: nothing changed here, but it is not the same tensor.
    #expect(diff.retyped[0].change.changed == 0)
    #expect(diff.retyped[0].isChanged)
    #expect(!diff.isIdentical)
    #expect(diff.total.tensors == 6 && diff.total.changedTensors == 3)
  }

  @Test("components in the order of a forward pass, with their layers")
  func components() throws {
    let components = try diff().components
    #expect(components.map(\.label) == ["embed_tokens", "input_layernorm", "self_attn.q_proj", "cast"])
    let q = components[2]
    #expect(q.changedLayers == [0, 1])
    #expect(q.layers[1]?.change.relativeChange == 0.1)
    #expect(q.all.change.normA == 50.0.squareRoot())
    #expect(q.all.change.normDelta == 0.3125.squareRoot())
  }

  @Test("names of another layout are paired by a key map")
  func otherLayout() throws {
    let folder = try DiffFolder()
    let a = try folder.checkpoint("a", Self.model(moved: false).filter { $0.name.hasPrefix("model.layers") })
    let b = try folder.checkpoint(
      "b",
      Self.model(moved: true).compactMap {
        guard $0.name.hasPrefix("model.layers") || $0.name == "new" else { return nil }
        return Tensor($0.name.replacing("model.", with: "model.language_model."), $0.dtype, $0.bytes, shape: $0.shape)
      })
    let keys = try KeyMap.auto(from: b.tensors.map(\.name), to: a.tensors.map(\.name))
    let diff = try CheckpointDiff.compute(a, b, keys: keys, threads: 2)
    #expect(diff.tensors.map(\.name) == a.tensors.map(\.name))
    #expect(diff.added.map(\.name) == ["new"])
    #expect(diff.removed.isEmpty)
    #expect(diff.total.changedTensors == 2)
    #expect(try CheckpointDiff.compute(a, b, threads: 1).tensors.isEmpty)
  }

  @Test("the table, as text")
  func table() throws {
    let text = try diff().table().split(separator: "\n", omittingEmptySubsequences: false).dropFirst(2)
    let expected = """
      3 of 6 tensors differ, in 2 of 14 elements (14.3%).
      As base and tuned model: B lacks 1 tensor of the base that a fine-tune does not remove, such as "old".

      component         layers  tensors  elements  changed  ‖Δ‖/‖A‖  1 − cosine  max |Δ|
      ────────────────  ──────  ───────  ────────  ───────  ───────  ──────────  ───────
      self_attn.q_proj  0–1           2         4    50.0%   0.0791     0.00118    0.500
      cast                            1         2       0%        0           0        0
      (unchanged)                     3         8
      ────────────────  ──────  ───────  ────────  ───────  ───────  ──────────  ───────
      all                        3 of 6        14    14.3%   0.0585     0.00110    0.500

      layer             0  1
      ────────────────  ─────
      self_attn.q_proj  ▅▅ ██
      relative change, logarithmic: ▁ ≤ 0.02  █ 0.1  · unchanged

      added     new  BF16 1
      removed   old  BF16 1
      reshaped  model.norm.weight  BF16 1×2 → BF16 2×1
      retyped   cast  BF16 → F32

      """
    #expect(text.joined(separator: "\n") == expected)
    let same = try DiffFolder().diff(Self.model(moved: true), Self.model(moved: true))
    #expect(same.isIdentical)
    #expect(same.table().hasSuffix("The two are identical: all 8 tensors, bit for bit.\n"))
  }

  @Test("the JSON holds every number, and null for what has none")
  func json() throws {
    let json = try JSON.parse(Array(diff().json().pretty().utf8))
    #expect(json["identical"] == .bool(false))
    #expect(json["total"]?["changed"]?.int == 2)
    #expect(json["added"]?.array?[0]["name"]?.string == "new")
    let q = json["tensors"]?.array?.last { $0["component"]?.string == "self_attn.q_proj" }
    #expect(q?["layer"]?.int == 1)
    #expect(q?["relative_change"]?.double == 0.1)
    #expect(q?["dtype"]?.string == "BF16")
    let zero = try DiffFolder().diff([.bf16("t", [0])], [.bf16("t", [1])]).json()
    #expect(zero["total"]?["relative_change"] == .null)
    #expect(zero["total"]?["cosine"] == .null)
  }

  @Test("the page has a cell for each layer and component, and needs nothing from outside")
  func html() throws {
    let html = try diff().html()
    #expect(html.components(separatedBy: "<rect class=\"cell").count - 1 == 2 * 2 + 2)
    #expect(html.contains("<title>layer 1 · self_attn.q_proj\nrelative change 0.10000\n"))
    for outside in ["http://", "https://", "src=", "@import", "url("] { #expect(!html.contains(outside)) }
    // Every class that a cell's colour needs has a rule.
    for key in ["r", "s", "c"] { #expect(html.contains(".m-\(key) .\(key)11{fill:var(--h11)")) }
    let same = try DiffFolder().diff(Self.model(moved: true), Self.model(moved: true)).html()
    #expect(same.contains("The two are identical"))
    #expect(!same.contains("<svg"))
  }

  @Test("hostile names stay text in the page and in the table")
  func hostile() throws {
    let evil = "<script>alert(1)</script>.layers.3.\"onload='x'&amp;\u{202E}\u{1B}[2J"
    let other = "<img src=x>"
    let diff = try DiffFolder().diff(
      [.bf16(evil, [1]), .bf16(other, [1])], [.bf16(evil, [2]), .bf16(other + "2", [1])])
    let html = diff.html()
    #expect(html.components(separatedBy: "<script>").count == 2)
    #expect(!html.contains("<img"))
    #expect(!html.contains("\u{202E}") && !html.contains("\u{1B}"))
    #expect(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(html.contains("&quot;onload=&#39;x&#39;&amp;amp;\\u{202e}\\u{1b}[2J"))
    let table = diff.table()
    #expect(!table.contains("\u{202E}") && !table.contains("\u{1B}"))
  }
}

extension String {
  fileprivate func components(separatedBy separator: String) -> [Substring] { self.split(separator: separator) }
}
