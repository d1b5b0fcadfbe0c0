import Foundation
import TestModels

/// A small model in a folder of its own, and the patch that changes it in place.
struct Switched: Sendable {
  enum Form: String, CaseIterable, Sendable {
    /// One file.
    case file
    /// Two shards, a side file that changes, one that comes and one that goes.
    case directory
    /// The same, and a tensor that comes, which cannot be done in place.
    case layout
  }

  let form: Form
  let sources: TestFolder
  /// The model's files before and after, by their names, with the provenance.
  let old, new: [String: [UInt8]]

  var patch: String { sources["p.vpatch"] }
  private var options: [String] { form == .layout ? ["--by-rename"] : [] }

  init(_ form: Form) throws {
    self.form = form
    sources = try TestFolder()
    let model: [TestTensor] = [
      .weights("model.embed_tokens.weight", [8, 16]), .weights("model.layers.0.self_attn.q_proj.weight", [16, 16]),
      .weights("model.layers.1.self_attn.q_proj.weight", [16, 16]), .weights("model.norm.weight", [16]),
    ]
    let changed = model.tuned("q_proj")
    let text = ["tokenizer.json": "{}\n"]
    switch form {
    case .file:
      try sources.file("base/model.safetensors", model)
      try sources.file("tuned/model.safetensors", changed)
    case .directory, .layout:
      let more = form == .layout ? [TestTensor.weights("z.weight", [4, 4])] : []
      try sources.directory(
        "base", model, shards: 2, files: text.merging(["config.json": "{\"a\": 1}\n", "gone.txt": "g"]) { $1 })
      try sources.directory(
        "tuned", changed + more, shards: 2, files: text.merging(["config.json": "{\"a\": 2}\n", "new.txt": "n"]) { $1 })
    }
    let names = ["base", "tuned"].map { form == .file ? "\($0)/model.safetensors" : $0 }
    let run = try Command("create", sources[names[0]], sources[names[1]], "-o", sources["p.vpatch"])
    precondition(run.code == 0, run.errors)
    old = try sources.tree("base")
    let folder = try TestFolder()
    for (name, bytes) in old { try folder.write(name, bytes) }
    let switched = try Command(
      Command.path,
      ["in-place", form == .file ? folder["model.safetensors"] : folder.path, sources["p.vpatch"]]
        + (form == .layout ? ["--by-rename"] : []))
    precondition(switched.code == 0, switched.errors)
    new = try folder.tree(".")
    // What the patch promises, and not only what the command under test made of it.
    let plain = new.filter { $0.key != "vpatch.json" && $0.key != "model.safetensors.vpatch.json" }
    let tuned = try sources.tree("tuned")
    precondition(plain == tuned)
  }

  func model(in folder: TestFolder) -> String { form == .file ? folder["model.safetensors"] : folder.path }

  /// Lays the old model out, and gives the arguments of the command that switches it.
  func forward(_ folder: TestFolder) throws -> [String] {
    for (name, bytes) in old { try folder.write(name, bytes) }
    return ["in-place", model(in: folder), patch] + options
  }

  func backward(_ folder: TestFolder) throws -> [String] {
    for (name, bytes) in new { try folder.write(name, bytes) }
    return ["in-place", model(in: folder), patch, "--backward"] + options
  }

  func recover(_ folder: TestFolder) throws -> Command { try Command("recover", model(in: folder), "--json") }

  /// Whether a folder holds exactly that, under these names and no other.
  func isNew(_ folder: TestFolder) throws -> Bool { try folder.tree(".") == new }
  func isOld(_ folder: TestFolder) throws -> Bool { try folder.tree(".") == old }

  func names(_ folder: TestFolder) throws -> String { try folder.names().joined(separator: " ") }
}
