import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Tensors that equal another one are stored once") struct CopyTests {
  let folder: TestFolder
  private let embedding = "model.embed_tokens.weight"
  private let head = "lm_head.weight"

  init() throws { folder = try TestFolder() }

  /// More than the least that is worth a flag.
  private func model() -> [TestTensor] { TestModel.llama(width: 32, vocabulary: 128) }

  private func withHead(_ tensors: [TestTensor]) -> [TestTensor] { tensors + [tensors[embedding].renamed(head)] }

  @discardableResult
  private func create(_ base: [TestTensor], _ tuned: [TestTensor], as name: String = "p.vpatch") throws -> Patch {
    try folder.directory("base-\(name)", base)
    try folder.directory("tuned-\(name)", tuned)
    let models = try ["base", "tuned"].map { try SafetensorsCheckpoint(path: folder["\($0)-\(name)"]) }
    _ = try Create(base: models[0], tuned: models[1], options: .anyDifference, work: WorkOptions(threads: 2))
      .write(to: folder[name])
    let patch = try Patch(path: folder[name])
    _ = try Rebuild(models[0], [PatchStep(patch, .forward)], WorkOptions(threads: 2)).check(full: true)
    _ = try Rebuild(models[1], [PatchStep(patch, .backward)], WorkOptions(threads: 2)).check(full: true)
    return patch
  }

  @Test("a head that is added, removed, or changed with its embedding")
  func heads() throws {
    let base = model()
    let tuned = base.tuned("embed_tokens")
    let cases = [
      (base, withHead(base.tuned("q_proj")), TensorOperation.add), (base, withHead(tuned), .add),
      (withHead(base), base.tuned("q_proj"), .remove), (withHead(base), tuned, .remove),
      (withHead(base), withHead(tuned), .change),
    ]
    for (i, (base, tuned, operation)) in cases.enumerated() {
      let patch = try create(base, tuned, as: "\(i).vpatch")
      let copies = patch.header.tensors.filter { $0.copy != nil }
      #expect(copies.count == 1 && copies[0].chunks.isEmpty && copies[0].operation == operation, "\(i)")
      #expect(Set([copies[0].name, copies[0].copy!]) == [head, embedding], "\(i)")
      #expect(patch.header.flags == .copies)
    }
  }

  @Test("a vocabulary that grows with its head")
  func rows() throws {
    let (base, grown) = (model(), TestModel.llama(width: 32, vocabulary: 160))
    let tuned = base.map { $0.name == embedding ? grown[embedding] : $0 }
    let patch = try create(withHead(base), withHead(tuned))
    #expect(patch.header.tensors.contains { $0.copy != nil && $0.operation == .rows })
  }

  @Test("no copy where only the target is equal, or the tensor is small")
  func noCopies() throws {
    let base = model()
    let other = TestTensor.weights(head, base[embedding].shape, seed: 9)
    // The head differed from the embedding before.
    let patch = try create(base + [other], withHead(base.tuned("q_proj")))
    #expect(patch.header.flags.isEmpty)
    let small = TestModel.llama()
    #expect(try create(small, withHead(small), as: "small.vpatch").header.flags.isEmpty)
  }

  @Test("chains and stacks of patches with copies")
  func composed() throws {
    let base = model()
    let first = withHead(base.tuned("embed_tokens"))
    let second = first.tuned("q_proj")
    let patches = [try create(base, first, as: "a.vpatch"), try create(first, second, as: "b.vpatch")]
    let model = try SafetensorsCheckpoint(path: folder["base-a.vpatch"])
    let work = WorkOptions(threads: 2)
    let error = #expect(throws: VPatchError.self) {
      _ = try Squash(patches, base: nil, work).write(to: folder["none.vpatch"], name: nil, note: nil)
    }
    #expect(error?.remedy?.contains("--base") == true)
    _ = try Squash(patches, base: model, work).write(to: folder["ab.vpatch"], name: nil, note: nil)
    let squashed = try Patch(path: folder["ab.vpatch"])
    _ = try Rebuild(model, [PatchStep(squashed, .forward)], work).check(full: true)
    #expect(squashed.header.targetRoot == patches[1].header.targetRoot)

    // The steps one after another, and back.
    _ = try Rebuild(model, patches.map { PatchStep($0, .forward) }, work).check(full: true)
    let tuned = try SafetensorsCheckpoint(path: folder["tuned-b.vpatch"])
    _ = try Rebuild(tuned, patches.reversed().map { PatchStep($0, .backward) }, work).check(full: true)
  }
}
