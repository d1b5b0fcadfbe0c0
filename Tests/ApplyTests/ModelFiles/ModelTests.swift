import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import ModelFiles

/// What a model is, by what lies beside it and by its bits, and the ways from there.
@Suite("Models") struct ModelTests {
  let folder: TestFolder
  let work = WorkOptions(threads: 2)
  let base = TestModel.llama()

  init() throws { folder = try TestFolder() }

  /// Patches of these models, each made on top of the one before, and the last model written with its provenance.
  private func chain(_ parts: [String]) throws -> [Patch] {
    var model = base
    try folder.file("m0", model)
    let patches = try parts.enumerated().map { i, part in
      model = model.tuned(part, seed: UInt64(i + 1))
      try folder.file("m\(i + 1)", model)
      var options = CreateOptions()
      options.name = "skill\(i + 1)"
      _ = try Create(
        base: SafetensorsCheckpoint(path: folder["m\(i)"]), tuned: SafetensorsCheckpoint(path: folder["m\(i + 1)"]),
        options: options,
        work: work
      ).write(to: folder["p\(i + 1)"])
      return try Patch(path: folder["p\(i + 1)"])
    }
    _ = try Rebuild(SafetensorsCheckpoint(path: folder["m0"]), .chain(patches), work).write(to: folder["model"])
    return patches
  }

  private func change(_ patches: [Patch]) throws -> ModelChange {
    let library = try OpenPatches(patches, undoPath: nil, scratchBeside: folder["scratch"])
    return try ModelChange(SafetensorsCheckpoint(path: folder["model"]), library, work)
  }

  private func result(_ steps: [PatchStep]) throws -> [UInt8] {
    _ = try Rebuild(SafetensorsCheckpoint(path: folder["model"]), steps, work).write(to: folder["out"], force: true)
    return try folder.bytes("out")
  }

  private func refusal(_ body: () throws -> [PatchStep]) -> VPatchError? {
    do {
      _ = try body()
      return nil
    } catch { return error as? VPatchError }
  }

  @Test("a provenance says what is applied, and is read back as it was written") func provenance() throws {
    let patches = try chain(["q_proj", "o_proj"])
    let read = try #require(try Provenance.of(SafetensorsCheckpoint(path: folder["model"])))
    #expect(read.state.base == patches[0].header.baseRoot)
    #expect(read.state.root == patches[1].header.targetRoot)
    #expect(read.state.entries.map(\.identity) == patches.map(\.identity))
    #expect(read.state.entries.map(\.name) == ["skill1", "skill2"])
    try folder.write("copy.vpatch.json", read.text)
    #expect(try Provenance.read(InputFile(path: folder["copy.vpatch.json"])) == read)
  }

  @Test("back to the base, one step back, the last by name") func ways() throws {
    let patches = try chain(["q_proj", "o_proj", "q_proj"])
    let change = try change(patches)
    #expect(try result(change.stepsToBase()) == folder.bytes("m0"))
    #expect(try result(change.stepsToLast()) == folder.bytes("m2"))
    #expect(try result(change.steps(without: patches[2].identity, called: "skill3")) == folder.bytes("m2"))
  }

  @Test("what stands on another patch, and what is not there") func refusals() throws {
    let patches = try chain(["q_proj", "o_proj", "v_proj"])
    let change = try change(patches)
    let middle = refusal { try change.steps(without: patches[0].identity, called: "skill1") }
    #expect(middle?.code == .refused)
    #expect(middle?.reason == "has skill1 in the middle of a chain, followed by skill2, skill3")
    let unknown = refusal { try change.steps(without: .zero, called: "clock") }
    #expect(unknown?.reason == "does not have clock applied, but skill1, skill2, skill3")
    let lost = try self.change([patches[0]])
    #expect(refusal { try lost.stepsToBase() }?.reason == "is not among the patches given")
  }

  @Test("without a provenance the model is hashed") func hashed() throws {
    let patches = try chain(["q_proj"])
    try folder.write("model", try folder.bytes("m1"))
    let plain = try TestFolder()
    try plain.write("model", try folder.bytes("m1"))
    let change = try ModelChange(
      SafetensorsCheckpoint(path: plain["model"]), OpenPatches(patches, undoPath: nil, scratchBeside: plain["s"]), work)
    #expect(change.isHashed)
    #expect(change.state == ModelState(base: patches[0].header.targetRoot))
    #expect(refusal { try change.stepsToBase() }?.remedy == "name the patch to revert: vpatch revert MODEL PATCH")
  }

  @Test("a model that was edited is found out, by the tensors that were touched or by all") func edited() throws {
    _ = try chain(["q_proj"])
    func status(full: Bool = false) throws -> ModelStatus {
      try ModelStatus(SafetensorsCheckpoint(path: folder["model"]), full: full, work)
    }
    #expect(try status().isTrue)
    #expect(try status().checked == 2)
    #expect(try status(full: true).hashedRoot == SafetensorsCheckpoint(path: folder["m1"]).root(work))
    for (part, isSeen) in [("embed_tokens", false), ("layers.1.self_attn.q_proj", true)] {
      let tuned = base.tuned("q_proj")
      try folder.file("model", tuned.tuned(part, seed: 9))
      #expect(try status().isTrue != isSeen)
      let full = try status(full: true)
      #expect(full.changed.count == 1)
      #expect(full.hashedRoot == nil)
      #expect(full.contradiction?.hasPrefix("1 tensor differs: \"model.") == true)
    }
    try folder.file("model", base.tuned("q_proj").without("model.norm.weight") + [.weights("more", [2, 2])])
    #expect(
      try status().contradiction?.contains("is missing: \"model.norm.weight\"; 1 tensor is new: \"more\"") == true)
    #expect(try status().lacking.contains("model.norm.weight"))
    #expect(try status().extra == ["more"])
  }

  @Test("a provenance that was tampered with is refused, whichever digest it is") func tampered() throws {
    _ = try chain(["q_proj"])
    let text = try folder.text("model.vpatch.json")
    // A damaged file is none; what reads it goes on as without one.
    try folder.write("model.vpatch.json", Array(text.utf8.dropLast(4)))
    #expect(try Provenance.of(SafetensorsCheckpoint(path: folder["model"])) == nil)
    let digests = text.components(separatedBy: "\"").filter { $0.count == 64 }
    for digest in Set(digests) {
      let flipped = (digest.hasPrefix("0") ? "1" : "0") + digest.dropFirst()
      let first = try #require(text.range(of: digest))
      try folder.write("model.vpatch.json", text.replacingCharacters(in: first, with: flipped))
      let identity = text.contains("\"identity\": \"\(digest)\"")
      // The identity alone is bound by nothing but the patch itself, which is asked for by it.
      if !identity {
        #expect(throws: VPatchError.self, "\(digest)") {
          try Provenance.of(SafetensorsCheckpoint(path: folder["model"]))
        }
      }
    }
  }
}
