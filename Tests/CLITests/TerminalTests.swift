import Foundation
import TestModels
import Testing

@Suite("Terminal") struct TerminalTests {
  let folder: TestFolder
  private let hostile = "\u{1B}[2Jmodel.\u{202E}x\nlayers.0.self_attn.q_proj.weight"

  init() throws { folder = try TestFolder() }

  @Test("names from files cannot rewrite the terminal") func escapes() throws {
    let tensor = TestTensor.weights(hostile, [8, 8])
    try folder.file("a.safetensors", [tensor])
    try folder.file("b.safetensors", [tensor.tuned()])
    try folder.file("c.safetensors", [tensor.tuned(seed: 8)])
    let patch = folder["p.vpatch"]
    let runs = [
      try Command(
        "create", folder["a.safetensors"], folder["b.safetensors"], "-o", folder["q.vpatch"], "--recipe", "mlp"),
      try Command(
        "create", folder["a.safetensors"], folder["b.safetensors"], "-o", patch, "--name", hostile, "--note", hostile),
      try Command("show", patch), try Command("show", patch, "--json"),
      try Command("apply", folder["c.safetensors"], patch, "-o", folder["\u{1B}[31mout.safetensors"]),
      try Command("apply", folder["a.safetensors"], patch, "-o", folder["\u{1B}[31mout.safetensors"]),
      try Command("diff", folder["a.safetensors"], folder["b.safetensors"]),
      try Command("diff", patch, patch, "--base", folder["a.safetensors"]),
      try Command("verify", patch, "--recipe", "mlp"),
    ]
    #expect(runs.map(\.code) == [5, 0, 0, 0, 3, 0, 0, 0, 5])
    for run in runs {
      for scalar in (run.output + run.errors).unicodeScalars {
        #expect(scalar.value >= 0x20 || scalar == "\n", "\(run.output)\(run.errors)")
        #expect(scalar.value != 0x202E)
      }
    }
    #expect(runs[4].says(#"\u{1b}[2Jmodel.\u{202e}x\u{a}layers"#))
  }

  @Test("the bar is drawn on a terminal, and nowhere else") func progress() throws {
    let tensors = (0..<4).map { TestTensor.weights("t\($0)", [256, 1024]) }
    try folder.file("a.safetensors", tensors)
    try folder.file("b.safetensors", tensors.map { $0.tuned() })
    let create = ["create", folder["a.safetensors"], folder["b.safetensors"], "-o", folder["p.vpatch"], "--force"]
    let piped = try Command(Command.path, create)
    #expect(piped.code == 0)
    #expect(!piped.errors.contains("\u{1B}") && !piped.output.contains("\u{1B}"))
    try #require(FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "install bsdutils")
    for (more, isDrawn) in [("", true), (" --quiet", false)] {
      let line = ([Command.path] + create).map { "'\($0)'" }.joined(separator: " ") + more
      let run = try Command("/usr/bin/script", ["-qec", line, "/dev/null"])
      #expect(run.code == 0)
      #expect(run.output.contains("█") == isDrawn)
      #expect(run.output.contains("encoding") == isDrawn)
    }
  }
}
