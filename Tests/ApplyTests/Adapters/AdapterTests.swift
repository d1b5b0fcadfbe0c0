import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("LoRA adapters, as PEFT saves them") struct AdapterTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// Those whose base has all tensors that the adapter changes.
  static let readable = AdapterFixture.all.filter { $0.name != "tied-head" }

  @Test("the merged weights are PEFT's, with the rounding that PEFT uses", arguments: readable)
  func merged(fixture: AdapterFixture) throws {
    let plan = try fixture.plan()
    var compared = 0
    for (way, merge) in fixture.merges {
      for (name, digest) in merge.digests {
        let tensor = try #require(plan.base.tensor(named: name), "\(name)")
        guard let change = plan.change(of: name) else {
          Issue.record("\(fixture.name): PEFT changes \(name), and the plan does not")
          continue
        }
        let found: [UInt8]
        if case .lowRank(let rule) = change {
          // PEFT sums in float32, so a few elements may differ from both rules. It rounds the change of experts, which
          // the base may have apart.
          let differ = merge.differ[name] ?? (1, 0)
          guard differ.sum == 0 || differ.change == 0 else { continue }
          found = try predicted(plan, tensor, rule, roundsChange: differ.sum != 0)
        } else {
          found = try AdaptedCheckpoint(plan).source(of: tensor).bytes()
        }
        #expect(SHA256Hasher.hash(found).hex == digest, "\(fixture.name) \(way) \(name)")
        compared += 1
      }
    }
    #expect(compared > 0 || fixture.name == "base-f32")
  }

  private func predicted(
    _ plan: AdapterPlan, _ tensor: CheckpointTensor, _ rule: LowRank, roundsChange: Bool
  ) throws -> [UInt8] {
    var factors = try plan.adapter.factors(rule, of: tensor.info)
    factors.roundsChange = roundsChange
    var base = try plan.base.source(of: tensor).bytes()
    var result = base
    base.withUnsafeMutableBytes { base in
      result.withUnsafeMutableBytes {
        ChunkCoder.Prediction(factors, elements: 0..<tensor.info.elementCount)
          .predict(from: UnsafeRawBufferPointer(base), into: $0)
      }
    }
    return result
  }

  @Test("created, applied, reverted, exported: all byte for byte", arguments: readable, [true, false])
  func roundTrip(fixture: AdapterFixture, keepsAdapter: Bool) throws {
    let (patch, result) = try fixture.create(folder, keepsAdapter: keepsAdapter)
    let base = try SafetensorsCheckpoint(path: fixture.base)
    let work = WorkOptions(threads: 2)
    _ = try Rebuild(base, [PatchStep(patch, .forward)], work).check(full: true)
    // The rebuilt tensors are those of the adapted base.
    let adapted = AdaptedCheckpoint(try fixture.plan())
    let view = ModelView(base, [PatchStep(patch, .forward)])
    for tensor in adapted.tensors {
      #expect(try view.source(tensor.name)?.fingerprint() == adapted.source(of: tensor).fingerprint(), "\(tensor.name)")
    }
    // And back, from the model as written.
    let written = folder["tuned-\(keepsAdapter)"]
    try FileManager.default.createDirectory(atPath: written, withIntermediateDirectories: true)
    let tensors = try adapted.tensors.map {
      TestTensor($0.name, $0.info.dtype.name, $0.info.shape, bytes: try adapted.source(of: $0).bytes())
    }
    let tuned = try SafetensorsCheckpoint(path: folder.file("tuned-\(keepsAdapter)/model.safetensors", tensors))
    _ = try Rebuild(tuned, [PatchStep(patch, .backward)], work).check(full: true)

    if keepsAdapter {
      #expect(patch.header.flags.contains(.lowRank) && result.adapter?.isWhole == true)
      let files = try patch.exportAdapter(to: folder["exported"])
      for file in files {
        #expect(
          try folder.bytes("exported/\(file.name)") == folder.bytes("\(fixture.adapter)/\(file.name)"), "\(file.name)")
      }
    } else if patch.annex.adapter == nil {
      let error = #expect(throws: VPatchError.self) { try patch.exportAdapter(to: folder["exported"]) }
      #expect(error?.code == .refused && error?.remedy?.contains("--keep-adapter") == true)
    }
  }

  @Test("a merged model with its adapter: exact, whichever way PEFT merged", arguments: [false, true])
  func mergedModel(roundsChange: Bool) throws {
    let fixture = AdapterFixture.named("all-linear")
    let plan = try fixture.plan()
    var random = TestRandom(7)
    let tensors = try plan.base.tensors.map { tensor -> TestTensor in
      var bytes = try plan.base.source(of: tensor).bytes()
      if case .lowRank(let rule)? = plan.change(of: tensor.name) {
        bytes = try predicted(plan, tensor, rule, roundsChange: roundsChange)
        // As if summed in float32: a few elements are off by one.
        bytes[Int(random.next() % UInt64(bytes.count / 2)) * 2] ^= 1
      }
      return TestTensor(tensor.name, tensor.info.dtype.name, tensor.info.shape, bytes: bytes)
    }
    let merged = try SafetensorsCheckpoint(path: folder.file("merged.safetensors", tensors))
    var options = CreateOptions()
    options.adapter = plan
    options.keepsAdapter = true
    let base = try SafetensorsCheckpoint(path: fixture.base + "/model.safetensors")
    let create = Create(base: base, tuned: merged, options: options, work: WorkOptions(threads: 2))
    let result = try create.write(to: folder["m.vpatch"])
    let patch = try Patch(path: folder["m.vpatch"])
    _ = try Rebuild(base, [PatchStep(patch, .forward)], WorkOptions(threads: 2)).check(full: true)
    _ = try Rebuild(merged, [PatchStep(patch, .backward)], WorkOptions(threads: 2)).check(full: true)
    #expect(patch.header.tensors.compactMap(\.lowRank).allSatisfy { $0.roundsChange == roundsChange })
    let summary = try #require(result.adapter)
    #expect(!summary.isMerged && !summary.isTooFar)
    #expect(patch.annotations["made"]?["adapter"]?["base"]?.string == "declared")
  }

  @Test("a model that the adapter does not make is exact all the same, and it is said")
  func anotherModel() throws {
    let fixture = AdapterFixture.named("all-linear")
    let plan = try fixture.plan()
    let tensors = try plan.base.tensors.map { tensor in
      TestTensor(
        tensor.name, tensor.info.dtype.name, tensor.info.shape, bytes: try plan.base.source(of: tensor).bytes()
      ).tuned(seed: 3)
    }
    let merged = try SafetensorsCheckpoint(path: folder.file("other.safetensors", tensors))
    let base = try SafetensorsCheckpoint(path: fixture.base + "/model.safetensors")
    var options = CreateOptions()
    options.adapter = plan
    options.keepsAdapter = true
    let result = try Create(base: base, tuned: merged, options: options, work: WorkOptions(threads: 2))
      .write(to: folder["o.vpatch"])
    #expect(result.adapter?.isTooFar == true)
    let patch = try Patch(path: folder["o.vpatch"])
    _ = try Rebuild(base, [PatchStep(patch, .forward)], WorkOptions(threads: 2)).check(full: true)
    _ = try Rebuild(merged, [PatchStep(patch, .backward)], WorkOptions(threads: 2)).check(full: true)
  }

  @Test("other names of the same factors: with the adapter's name, without the prefix, wrapped", arguments: 0..<3)
  func otherNames(i: Int) throws {
    let fixture = AdapterFixture.named("plain")
    let checkpoint = try SafetensorsCheckpoint(path: "\(fixture.adapter)/adapter_model.safetensors")
    let renamed = try checkpoint.tensors.map { tensor in
      let name =
        switch i {
        case 0: tensor.name.replacing(".weight", with: ".default.weight")
        case 1: tensor.name.replacing("base_model.model.", with: "")
        default: tensor.name.replacing("layers.", with: "_orig_mod.layers.")
        }
      return TestTensor(
        name, tensor.info.dtype.name, tensor.info.shape, bytes: try checkpoint.source(of: tensor).bytes())
    }
    try folder.file("renamed/adapter_model.safetensors", renamed)
    try folder.write("renamed/adapter_config.json", folder.bytes("\(fixture.adapter)/adapter_config.json"))
    let (plan, other) = (try fixture.plan(), try fixture.plan(folder["renamed"]))
    let (merged, otherMerged) = (AdaptedCheckpoint(plan), AdaptedCheckpoint(other))
    for tensor in merged.tensors {
      #expect(try merged.source(of: tensor).bytes() == otherMerged.source(of: tensor).bytes(), "\(tensor.name)")
    }
    #expect(plan.changes.count == other.changes.count)
  }

  @Test("one and two threads, with and without AVX2: the same file")
  func deterministic() throws {
    let fixture = AdapterFixture.named("modules-to-save")
    var files: [[UInt8]] = []
    for threads in [1, 2, 5] {
      let plan = try fixture.plan()
      var options = CreateOptions()
      options.adapter = plan
      options.keepsAdapter = true
      _ = try Create(
        base: plan.base, tuned: AdaptedCheckpoint(plan), options: options, work: WorkOptions(threads: threads)
      ).write(to: folder["t\(threads).vpatch"])
      files.append(try folder.bytes("t\(threads).vpatch"))
    }
    #expect(files[0] == files[1] && files[0] == files[2])
  }

  @Test("stacks work on the rounded bits, and any member comes out again")
  func stack() throws {
    let fixture = AdapterFixture.named("all-linear")
    let (first, _) = try fixture.create(folder, as: "a.vpatch")
    let other = AdapterFixture.named("rslora")
    let (second, _) = try other.create(folder, as: "b.vpatch")
    #expect(first.header.baseRoot == second.header.baseRoot)
    let stack = try StackDefinition(
      base: first.header.baseRoot, members: [first, second].map { .init($0.identity) })
    let base = try SafetensorsCheckpoint(path: fixture.base)
    let merge = try Merge(stack, patches: [first, second], kernel: .chosen)
    let names = merge.touched
    #expect(!names.isEmpty)
    for name in names {
      let info = try #require(merge.target(name))
      let merged = try merge.source(name) { n in base.tensor(named: n).map { base.source(of: $0) } }.bytes()
      // A tensor that one member changes has that member's bits.
      let touching = [first, second].filter { $0.tensor(named: name)!.operation != .same }
      guard touching.count == 1 else { continue }
      let own = try #require(ModelView(base, [PatchStep(touching[0], .forward)]).source(name)).bytes()
      #expect(merged == own && info.byteCount == own.count)
    }
  }
}
