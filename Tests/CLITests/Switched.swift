import Apply
import Base
import Foundation
import ModelFiles
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
  /// The model's files by their names, with the provenance: before, switched, and taken back again.
  let old, new, reverted: [String: [UInt8]]

  var patch: String { sources["p.vpatch"] }
  private var options: [String] { (form == .layout ? ["--by-rename"] : []) + ["--store", sources.store] }

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
    let more = form == .file ? [] : ["--remove-missing-files"]
    let run = try Command(
      Command.path, ["create", sources[names[0]], sources[names[1]], "-o", sources["p.vpatch"], "--name", "p"] + more)
    precondition(run.code == 0, run.errors)
    old = try sources.tree("base")
    let folder = try TestFolder()
    let path = form == .file ? folder["model.safetensors"] : folder.path
    let options = (form == .layout ? ["--by-rename"] : []) + ["--store", sources.store]
    func tree(after arguments: [String]) throws -> [String: [UInt8]] {
      let run = try Command(Command.path, arguments + options)
      precondition(run.code == 0, run.errors)
      return try folder.tree(".")
    }
    for (name, bytes) in old { try folder.write(name, bytes) }
    new = try tree(after: ["switch", path, "p"])
    reverted = try tree(after: ["revert", path, "p"])
    // What the patch promises, and not only what the command under test made of it.
    let tuned = try sources.tree("tuned")
    precondition(Self.plain(new) == tuned && Self.plain(reverted) == old)
  }

  /// Without the provenance.
  private static func plain(_ tree: [String: [UInt8]]) -> [String: [UInt8]] {
    tree.filter { $0.key != "vpatch.json" && $0.key != "model.safetensors.vpatch.json" }
  }

  func model(in folder: TestFolder) -> String { form == .file ? folder["model.safetensors"] : folder.path }

  /// The arguments of the command that switches the model, and of the one that takes it back.
  func forward(in folder: TestFolder) -> [String] { ["switch", model(in: folder), "p"] + options }
  func backward(in folder: TestFolder) -> [String] { ["revert", model(in: folder), "p"] + options }

  /// Lays the old model out, and gives the arguments of the command that switches it.
  func forward(_ folder: TestFolder) throws -> [String] {
    for (name, bytes) in old { try folder.write(name, bytes) }
    return forward(in: folder)
  }

  func backward(_ folder: TestFolder) throws -> [String] {
    for (name, bytes) in new { try folder.write(name, bytes) }
    return backward(in: folder)
  }

  func recover(_ folder: TestFolder) throws -> Command { try Command("recover", model(in: folder), "--json") }

  /// The same without a process; once for a model's files, since a process that another test starts meanwhile has this
  /// one's open files, and their locks, until its exec.
  @discardableResult func recovered(_ folder: TestFolder) throws -> Recovery.Outcome {
    try Recovery.recover(model(in: folder), WorkOptions(threads: 1)).outcome
  }

  /// Whether a folder holds exactly that, under these names and no other.
  func isNew(_ folder: TestFolder) throws -> Bool { try folder.tree(".") == new }
  func isOld(_ folder: TestFolder) throws -> Bool { try folder.tree(".") == old }
  func isReverted(_ folder: TestFolder) throws -> Bool { try folder.tree(".") == reverted }

  func names(_ folder: TestFolder) throws -> String { try folder.names().joined(separator: " ") }
}
