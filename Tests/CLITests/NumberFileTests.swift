import Foundation
import TestModels
import Testing

/// Numbers in files that a command reads, each in turn another: refused or used, and nothing is killed by one.
@Suite("numbers in files") struct NumberFileTests {
  static let numbers = [
    "9223372036854775807", "18446744073709551615", "1e308", "-1", "0", "1e-400", "4294967296", "0.5",
  ]

  /// The texts that differ in one number, each number in turn one of `numbers`, another for each.
  private func changed(_ text: String) -> [String] {
    let found = text.matches(of: #/[:,=\[]\s*(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?=\s*[,\]}\n])/#).map(
      \.output.1)
    var texts: [String] = []
    for (i, number) in found.enumerated() {
      for j in 0..<2 {
        let other = Self.numbers[(3 * i + 5 * j) % Self.numbers.count]
        texts.append(text.replacingCharacters(in: number.startIndex..<number.endIndex, with: other))
      }
    }
    return texts
  }

  private func check(_ folder: TestFolder, _ file: String, most: Int = 25, _ arguments: String...) throws {
    let text = try folder.text(file)
    let texts = changed(text)
    #expect(!texts.isEmpty, "\(file)")
    let step = max(1, texts.count / most)
    for i in stride(from: 0, to: texts.count, by: step) {
      try folder.write(file, texts[i])
      let run = try Command("/usr/bin/timeout", ["60", Command.path] + arguments)
      #expect([0, 1, 2, 3, 4, 5].contains(run.code), "\(run.code) \(arguments[0]): \(file): \(texts[i].prefix(2000))")
    }
    try folder.write(file, text)
  }

  @Test func modelsAndSuites() throws {
    let scene = try EvalScene()
    let folder = scene.folder
    try check(folder, "base/config.json", "score", scene.base, "--text", "a cat", "--threads", "1")
    try check(folder, "base/config.json", "generate", scene.base, "cat", "--max-tokens", "2", "--threads", "1")
    try check(folder, "base/tokenizer.json", most: 30, "score", scene.base, "--text", "a cat", "--threads", "1")
    try check(folder, "suite.toml", "eval", scene.base, "--suite", scene.suite, "--threads", "1")
  }

  @Test func results() throws {
    let scene = try EvalScene()
    let folder = scene.folder
    for (model, name) in [(scene.base, "base.json"), (scene.sa, "sa.json")] {
      let run = try scene.eval(model, "--results", folder[name])
      try #require(run.code == 0, "\(run.errors)")
    }
    try check(
      folder, "sa.json", "annotate", scene.saPatch, "--results", folder["sa.json"], "--base-results",
      folder["base.json"], "-o", folder["out.vpatch"], "--force")
  }

  @Test func provenance() throws {
    let scene = try EvalScene()
    let folder = scene.folder
    let apply = try Command("apply", scene.base, scene.saPatch, scene.mlpPatch, "-o", folder["both"])
    try #require(apply.code == 0, "\(apply.errors)")
    try check(folder, "both/vpatch.json", "status", folder["both"])
    try check(folder, "both/vpatch.json", "revert", folder["both"], "-o", folder["back"])
  }
}
