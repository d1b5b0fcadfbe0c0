import Base
import Foundation
import PatchFormat
import TestModels
import Testing

/// Canonical deltas (slime, ModelExpress) from the command line; fixtures/canonical-delta.
@Suite("Commands with canonical deltas") struct DeltaCommandTests {
  let folder: TestFolder
  private let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures/canonical-delta"

  init() throws { folder = try TestFolder() }

  private func run(_ arguments: String...) throws -> Command { try Command(Command.path, arguments) }

  private func create(_ tuned: String, _ name: String) throws -> Command {
    try run(
      "create", "\(fixtures)/base.safetensors", tuned, "-o", folder[name], "--store", folder.store, "--force")
  }

  @Test("create, export, create again: one identity; then applied and reverted") func story() throws {
    #expect(try create("\(fixtures)/modelexpress", "theirs.vpatch").code == 0)
    let exported = try run(
      "export", folder["theirs.vpatch"], "--base", "\(fixtures)/base.safetensors", "--canonical-delta",
      folder["weight_v000001"])
    #expect(exported.code == 0 && exported.output.contains("version   000001, over 000000"), "\(exported.errors)")
    #expect(try create(folder["weight_v000001"], "ours.vpatch").code == 0)
    #expect(
      try Patch(path: folder["ours.vpatch"]).identity == Patch(path: folder["theirs.vpatch"]).identity)
    #expect(
      try run("apply", "\(fixtures)/base.safetensors", folder["ours.vpatch"], "-o", folder["tuned.safetensors"]).code
        == 0)
    #expect(try folder.testTensors("tuned.safetensors") == tensors("tuned"))
    let again = try run(
      "export", folder["ours.vpatch"], "--base", "\(fixtures)/base.safetensors", "--canonical-delta",
      folder["v7"], "--weight-version", "v7", "--base-version", "v6", "--json")
    let json = try JSON.parse(Array(again.output.utf8))
    #expect(json["weight_version"] == .string("v7") && json["base_version"] == .string("v6"))
    let index = try JSON.parse(folder.bytes("v7/model.safetensors.index.json"))
    #expect(index["metadata"]?["version"] == .string("v7"))
  }

  private func tensors(_ name: String) throws -> [TestTensor] {
    try folder.write("\(name)-fixture.safetensors", folder.bytes("\(fixtures)/\(name).safetensors"))
    return try folder.testTensors("\(name)-fixture.safetensors")
  }

  @Test("what cannot be exported: the remedy that is printed works") func remedies() throws {
    var tuned = try tensors("tuned")
    tuned.append(.weights("extra.weight", [4, 4]))
    try folder.file("more.safetensors", tuned)
    let base = "\(fixtures)/base.safetensors"
    #expect(
      try run(
        "create", base, folder["more.safetensors"], "-o", folder["more.vpatch"], "--no-store", "--allow-additions"
      ).code == 0)
    let patch = folder["more.vpatch"]
    let refused = try run("export", patch, "--base", base, "--canonical-delta", folder["out"])
    #expect(refused.code == 5 && refused.errors.contains("adds \"extra.weight\""), "\(refused.errors)")
    #expect(refused.errors.contains("vpatch apply BASE \(patch) -o FOLDER"), "\(refused.errors)")
    #expect(try run("apply", base, patch, "-o", folder["whole.safetensors"]).code == 0)
    #expect(!folder.exists("out"))
    // A delta where a patch or a model is expected.
    #expect(try create("\(fixtures)/slime", "p.vpatch").code == 0)
    for arguments in [["show", "\(fixtures)/slime"], ["add", "\(fixtures)/slime"], ["status", "\(fixtures)/slime"]] {
      let refused = try Command(Command.path, arguments + (arguments[0] == "status" ? [] : ["--store", folder.store]))
      #expect(refused.code == 2 && refused.errors.contains("canonical delta"), "\(arguments): \(refused.errors)")
      #expect(refused.errors.contains("vpatch create BASE \(fixtures)/slime"), "\(refused.errors)")
    }
  }

  @Test(
    "options that do not fit together",
    arguments: [
      ["--peft", "a", "--canonical-delta", "b"], [], ["--canonical-delta", "b"], ["--peft", "a", "--base", "c"],
      ["--canonical-delta", "b", "--base", "c", "--weight-version", "1", "--base-version", "1"],
      ["--canonical-delta", "b", "--base", "c", "--weight-version", ""],
    ])
  func options(arguments: [String]) throws {
    let refused = try Command(Command.path, ["export", "p.vpatch"] + arguments)
    #expect(refused.code == 64, "\(refused.errors)")
  }
}
