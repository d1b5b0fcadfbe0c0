import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import Families

@Suite("Layouts: patches across the hub's and transformers' layouts") struct LayoutMatchTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func create(
    _ base: [TestTensor], _ tuned: [TestTensor], _ change: (inout CreateOptions) -> Void = { $0.mapKeys = true }
  ) throws -> (Patch, CreateResult) {
    var options = CreateOptions()
    change(&options)
    try folder.file("base", base)
    try folder.file("tuned", tuned)
    let create = Create(
      base: try SafetensorsCheckpoint(path: folder["base"]), tuned: try SafetensorsCheckpoint(path: folder["tuned"]),
      options: options, work: WorkOptions(threads: 2))
    let result = try create.write(to: folder["p.vpatch"], replacing: true)
    return (try Patch(path: folder["p.vpatch"]), result)
  }

  /// What a patch makes of the base.
  private func applied(_ patch: Patch) throws -> [String: TestTensor] {
    let rebuild = Rebuild(
      try SafetensorsCheckpoint(path: folder["base"]), [PatchStep(patch, .forward)], WorkOptions(threads: 2))
    try? FileManager.default.removeItem(atPath: folder["out"])
    _ = try rebuild.write(to: folder["out"], full: true)
    return Self.named(try folder.testTensors("out"))
  }

  private static func named(_ tensors: [TestTensor]) -> [String: TestTensor] {
    Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
  }

  private func refusal(_ body: () throws -> Void) throws -> VPatchError {
    let error = #expect(throws: VPatchError.self) { try body() }
    return try #require(error)
  }

  @Test(
    "base in the hub's layout, tuned in the runtime's, and the reverse: the same bytes", arguments: RuntimeTwin.families
  )
  func bothWays(family: String) throws {
    let (base, tuned) = (try RuntimeTwin(family), try RuntimeTwin(family, tuned: true))
    for isHub in [true, false] {
      let (patch, result) = try create(isHub ? base.hub : base.runtime, isHub ? tuned.runtime : tuned.hub)
      #expect(try applied(patch) == Self.named(isHub ? tuned.hub : tuned.runtime))
      let rearranged = isHub ? base.rearranged.hub : base.rearranged.runtime
      #expect(result.rearranged == rearranged.count)
      let listed = result.annotations["made"]?["keys"]?["rearranged"]?.array ?? []
      #expect(listed.reduce(0) { $0 + ($1["count"]?.int ?? 0) } == rearranged.count)
      #expect(listed.allSatisfy { $0["how"]?.string?.isEmpty == false && $0["from"]?.array?.isEmpty == false })
      // The same patch as from a tuned model in the base's own layout.
      let own = try create(isHub ? base.hub : base.runtime, isHub ? tuned.hub : tuned.runtime).0
      #expect(own.identity == patch.identity)
    }
  }

  @Test("without --map-keys it is refused with that remedy", arguments: RuntimeTwin.families)
  func remedy(family: String) throws {
    let (base, tuned) = (try RuntimeTwin(family), try RuntimeTwin(family, tuned: true))
    for (a, b, isPartial) in [(base.hub, tuned.runtime, false), (base.runtime, tuned.hub, true)] {
      let error = try refusal { _ = try create(a, b) { $0.isPartial = isPartial } }
      #expect(error.remedy?.contains("--map-keys auto") == true, "\(error)")
    }
  }

  @Test("some trained tensors alone, and float32, make the same patch")
  func partialAndCast() throws {
    for family in ["mixtral", "qwen3_moe"] {
      let (base, tuned) = (try RuntimeTwin(family), try RuntimeTwin(family, tuned: true))
      let experts = tuned.runtime.filter { $0.name.contains(".experts.") }
      let whole = Self.named(base.hub).merging(
        Self.named(tuned.hub.filter { tuned.rearranged.hub.contains($0.name) })
      ) { $1 }
      let patch = try create(base.hub, experts) {
        $0.isPartial = true
        $0.mapKeys = true
      }.0
      #expect(try applied(patch) == whole)
      let wide = tuned.runtime.map { tensor in
        TestTensor(
          tensor.name, "F32", tensor.shape,
          bytes: stride(from: 0, to: tensor.bytes.count, by: 2).flatMap {
            [0, 0, tensor.bytes[$0], tensor.bytes[$0 + 1]]
          })
      }
      let cast = try create(base.hub, wide) {
        $0.castToBase = true
        $0.mapKeys = true
      }.0
      #expect(try applied(cast) == Self.named(tuned.hub))
    }
  }

  @Test("a missing expert, experts of another number, shapes that do not fit: errors that name them")
  func incomplete() throws {
    let (base, tuned) = (try RuntimeTwin("mixtral"), try RuntimeTwin("mixtral", tuned: true))
    let name = "model.layers.1.block_sparse_moe.experts.2.w3.weight"
    let lacking = try refusal { _ = try create(base.runtime, tuned.hub.filter { $0.name != name }) }
    #expect("\(lacking)".contains("mlp.experts.2.w3.weight"), "\(lacking)")
    let alone = try refusal { _ = try create(base.hub.filter { $0.name != name }, tuned.runtime) }
    #expect("\(alone)".contains("mlp.experts.2.w3.weight"), "\(alone)")

    let three = tuned.runtime.map { tensor in
      guard tensor.name.hasSuffix("layers.0.mlp.experts.down_proj") else { return tensor }
      let expert = tensor.bytes.count / tensor.shape[0]
      return TestTensor(
        tensor.name, "BF16", [3] + tensor.shape.dropFirst(), bytes: Array(tensor.bytes[..<(3 * expert)]))
    }
    let fewer = try refusal { _ = try create(base.hub, three) }
    #expect("\(fewer)".contains("model.layers.0.mlp.experts.down_proj"), "\(fewer)")

    let mixed = tuned.hub.map { tensor in
      tensor.name == name ? TestTensor(name, "F32", tensor.shape, bytes: tensor.bytes + tensor.bytes) : tensor
    }
    let dtypes = try refusal { _ = try create(base.runtime, mixed) }
    #expect("\(dtypes)".contains("dtypes"), "\(dtypes)")
  }

  @Test("exchanged axes: shapes decide, a square that may be either is refused")
  func square() throws {
    let part = "deepstack_merger_list.0.norm.weight"
    func experts(_ up: [Int], _ down: [Int]) -> [TensorInfo] {
      [
        ConversionTableTests.info("model.layers.0.mlp.experts.gate_up_proj", up),
        ConversionTableTests.info("model.layers.0.mlp.experts.down_proj", down),
        ConversionTableTests.info("model.visual.\(part)", [4]),
      ]
    }
    func find(_ tuned: [TensorInfo], _ base: [TensorInfo]) throws -> Int {
      try LayoutMatch.find(tuned: tuned, base: base).rearranged.count
    }
    #expect(try find(experts([2, 12, 8], [2, 8, 6]), experts([2, 8, 12], [2, 6, 8])) == 2)
    #expect(try find(experts([2, 12, 8], [2, 8, 6]), experts([2, 12, 8], [2, 8, 6])) == 0)
    #expect(try find(experts([2, 8, 8], [2, 8, 4]), experts([2, 8, 8], [2, 8, 4])) == 0)
    let name = "model.layers.0.mlp.experts.gate_up_proj"
    #expect(throws: LayoutMatchError.square(name: name)) {
      try find(experts([2, 8, 8], [2, 8, 4]), experts([2, 8, 8], [2, 4, 8]))
    }
    let alone = [experts([2, 8, 8], [2, 8, 4])[0], experts([2, 8, 8], [2, 8, 4])[2]]
    #expect(throws: LayoutMatchError.square(name: name)) { try find(alone, alone) }
    // Of another family: nothing is known to be exchanged there.
    #expect(try find([alone[0]], [alone[0]]) == 0)
    #expect(throws: LayoutMatchError.self) {
      try find(experts([2, 12, 8], [2, 6, 8]), experts([2, 8, 12], [2, 6, 8]))
    }
  }

  @Test("a runtime parameter's tensors in a checkpoint of any layout", arguments: RuntimeTwin.families)
  func parameters(family: String) throws {
    let twin = try RuntimeTwin(family)
    let shapes = Dictionary(uniqueKeysWithValues: twin.runtime.map { ($0.name, $0.shape) })
    for base in [twin.hub, twin.runtime] {
      let infos = base.map(\.info).sorted { $0.name < $1.name }
      let found = try RuntimeParameter.find(twin.runtime.map(\.name), shapes: shapes, in: infos)
      #expect(found.count == twin.runtime.count)
      let stored = Self.named(base)
      for tensor in twin.runtime {
        let parameter = try #require(found[tensor.name], "\(tensor.name)")
        #expect(parameter.shape == tensor.shape)
        #expect(parameter.parts.reduce(0) { $0 + $1.tensor.byteCount } == tensor.bytes.count)
        for part in parameter.parts {
          let view = RearrangedTensor(part.tensor, of: [MemoryTensor(tensor)], part.blocks)
          var bytes = [UInt8](repeating: 0, count: part.tensor.byteCount)
          try bytes.withUnsafeMutableBytes { try view.read(into: $0, at: 0) }
          #expect(bytes == stored[part.tensor.name]?.bytes, "\(part.tensor.name)")
        }
      }
    }
  }
}
