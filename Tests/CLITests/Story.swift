import Base
import TestModels

/// A base, models tuned from it, and the patches between them: what most tests of the command begin with.
///
///     base ──sa──▶ sa ──mlp──▶ both        a chain
///     base ──other──▶ other                 a sibling of sa
struct Story: Sendable {
  let folder: TestFolder
  let model = TestModel.llama()
  var base: String { folder["base.safetensors"] }
  var sa: String { folder["sa.safetensors"] }
  var both: String { folder["both.safetensors"] }
  var other: String { folder["other.safetensors"] }
  var saPatch: String { folder["sa.vpatch"] }
  var mlpPatch: String { folder["mlp.vpatch"] }
  var otherPatch: String { folder["other.vpatch"] }

  /// Made once: most of a test's time is that of the commands that it runs.
  private static let first = Result { try Story(in: TestFolder()) }

  init() throws { folder = try TestFolder(copying: Self.first.get().folder) }

  private init(in folder: TestFolder) throws {
    self.folder = folder
    let tuned = model.tuned(TestModel.attention)
    try folder.file("base.safetensors", model)
    try folder.file("sa.safetensors", tuned)
    try folder.file("both.safetensors", tuned.tuned("mlp.down_proj"))
    try folder.file("other.safetensors", model.tuned(TestModel.gateUp))
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
