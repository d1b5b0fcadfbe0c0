import PatchFormat
import TestModels

/// A base, models tuned from it, and the patches between them: what most tests of the command begin with.
///
///     base ──sa──▶ sa ──mlp──▶ both        a chain
///     base ──other──▶ other                 a sibling of sa
struct Story {
  let folder: TestFolder
  let model = TestModel.llama()
  let base, sa, both, other: String
  let saPatch, mlpPatch, otherPatch: String

  init() throws {
    folder = try TestFolder()
    let tuned = model.tuned(TestModel.attention)
    base = try folder.file("base.safetensors", model)
    sa = try folder.file("sa.safetensors", tuned)
    both = try folder.file("both.safetensors", tuned.tuned("mlp.down_proj"))
    other = try folder.file("other.safetensors", model.tuned(TestModel.gateUp))
    saPatch = folder["sa.vpatch"]
    mlpPatch = folder["mlp.vpatch"]
    otherPatch = folder["other.vpatch"]
    for (from, to, patch) in [(base, sa, saPatch), (sa, both, mlpPatch), (base, other, otherPatch)] {
      let run = try Command("create", from, to, "-o", patch, "--name", Path.name(to))
      precondition(run.code == 0, run.errors)
    }
  }

  var out: String { folder["out.safetensors"] }

  /// Nothing but what was there, under any name, hidden ones too.
  func leftNothing(_ more: String...) throws -> Bool {
    let known =
      ["base", "sa", "both", "other"].map { "\($0).safetensors" } + ["sa", "mlp", "other"].map { "\($0).vpatch" }
    return try folder.names() == (known + more).sorted()
  }
}
