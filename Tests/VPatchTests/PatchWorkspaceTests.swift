import Foundation
import TestModels
import Testing
import VPatch

/// The public face, used as a program outside of the package uses it.
@Suite("VPatch") struct PatchWorkspaceTests {
  private let folder: TestFolder
  private let vpatch: PatchWorkspace
  private let base: [TestTensor]
  private var basePath: String { folder["base.safetensors"] }

  init() throws {
    folder = try TestFolder()
    vpatch = PatchWorkspace(store: folder["store"], threads: 2)
    base = TestModel.llama()
    try folder.file("base.safetensors", base)
    try folder.file("sa.safetensors", base.tuned(TestModel.attention))
    try folder.file("mlp.safetensors", base.tuned(TestModel.gateUp))
  }

  private func create(_ name: String) throws -> PatchInfo {
    var options = CreationOptions()
    options.name = name
    return try vpatch.create(
      base: basePath, tuned: folder["\(name).safetensors"], output: folder["\(name).vpatch"], options)
  }

  @Test("create, inspect, verify, apply, revert") func roundTrip() throws {
    let patch = try create("sa")
    #expect(patch.name == "sa" && patch.recipe == "sa-proj" && patch.records.isEmpty && !patch.tensors.isEmpty)
    #expect(patch.tensors.allSatisfy { $0.operation == .change && $0.name.contains("self_attn") })
    #expect(try vpatch.patch("sa") == vpatch.patch(folder["sa.vpatch"]))
    let checks = try vpatch.verify(
      "sa", base: basePath, target: folder["sa.safetensors"], recipe: .saProj, full: true)
    #expect(checks.map(\.check) == ["file", "recipe", "base", "target"])

    let root = try vpatch.apply(["sa"], to: basePath, output: folder["model.safetensors"])
    #expect(root == patch.target)
    #expect(try folder.bytes("model.safetensors") == folder.bytes("sa.safetensors"))
    let info = try vpatch.model(folder["model.safetensors"], hashesAll: true)
    #expect(info.isConsistent && info.base == patch.base && info.applied.map(\.identity) == [patch.identity])
    #expect(try vpatch.revert(folder["model.safetensors"]) == patch.base)
    #expect(try folder.bytes("model.safetensors") == folder.bytes("base.safetensors"))
  }

  @Test("stacks and the store") func stacks() throws {
    let (first, second) = (try create("sa"), try create("mlp"))
    #expect(try Set(vpatch.patches().map(\.identity)) == [first.identity, second.identity])
    let stack = try vpatch.newStack("both", base: basePath, members: ["sa@0.5"], combinedBy: .linear)
    #expect(stack.version == 1 && stack.members.map(\.scale) == [0.5])
    #expect(try vpatch.add(["mlp"], toStack: "both", combinedBy: .sum).members.count == 2)
    let model = try folder.file("model.safetensors", base)
    try vpatch.switchModel(model, to: "both")
    #expect(try vpatch.model(model).applied[0].members.count == 2)
    #expect(throws: PatchError.self) { try vpatch.remove("sa") }
    try vpatch.revert(model, .patch("mlp"))
    try vpatch.revert(model, output: folder["again.safetensors"])
    #expect(try folder.bytes("again.safetensors") == folder.bytes("base.safetensors"))
    #expect(try vpatch.remove(["mlp"], fromStack: "both").members.count == 1)
    try vpatch.removeStack("both")
    #expect(try vpatch.stacks().isEmpty)
  }

  @Test("errors say what a program needs") func errors() throws {
    _ = try create("sa")
    var error = #expect(throws: PatchError.self) { try vpatch.patch("sab") }
    #expect(error?.code == .io && error?.detail == .unknownName(similar: ["sa"]))
    error = #expect(throws: PatchError.self) {
      try vpatch.apply(["sa"], to: folder["sa.safetensors"], output: folder["x.safetensors"])
    }
    #expect(error?.code == .wrongBase && error?.detail == nil)
    var bytes = try folder.bytes("sa.vpatch")
    bytes[bytes.count / 2] ^= 1
    try folder.write("bad.vpatch", bytes)
    error = #expect(throws: PatchError.self) { try vpatch.patch(folder["bad.vpatch"]) }
    #expect(error?.code == .invalid && error?.detail == .damaged && error?.description.contains("bad.vpatch") == true)
  }
}
