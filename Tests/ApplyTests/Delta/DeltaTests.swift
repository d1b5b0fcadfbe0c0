import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Canonical deltas, as slime and ModelExpress have them") struct DeltaTests {
  @Test(
    "a delta by modelexpress 0.7.0, and one with slime's checksums: the patch of the two models",
    arguments: [
      "modelexpress", "slime",
    ])
  func fixture(name: String) throws {
    let scene = try DeltaScene()
    let base = "\(DeltaScene.fixtures)/base.safetensors"
    let given = try scene.create("\(DeltaScene.fixtures)/tuned.safetensors", over: base, as: "given.vpatch")
    let made = try scene.create("\(DeltaScene.fixtures)/\(name)", over: base)
    #expect(made.identity == given.identity)
    let annotation = made.annotations["made"]?["delta"]
    #expect(annotation?["version"] == .string("000001") && annotation?["base_version"] == .string("000000"))
    #expect(annotation?["checksum_format"] == .string(name == "slime" ? "xxh3-128" : "adler32"))
    // And vpatch's own delta of it has the checksums that modelexpress computed.
    _ = try scene.export(made, to: "out", over: base)
    let (ours, theirs) = try (
      SafetensorsCheckpoint(path: scene.folder["out"], reading: .canonicalDelta),
      SafetensorsCheckpoint(path: "\(DeltaScene.fixtures)/modelexpress", reading: .canonicalDelta)
    )
    func checksums(_ delta: SafetensorsCheckpoint) -> Set<String> {
      Set(delta.files.flatMap(\.header.metadata).map { "\($0.key) \($0.value.string!)" })
    }
    #expect(checksums(ours) == checksums(theirs) && !checksums(ours).isEmpty)
  }

  /// Tensors of several dtypes and sizes; some longer than a piece, a block of zstd, and a chunk of a patch.
  private static func model(_ random: inout TestRandom) -> [TestTensor] {
    let dtypes = [("BF16", 2), ("F32", 4), ("F16", 2), ("I64", 8), ("U8", 1), ("F8_E4M3", 1)]
    return (0..<Int.random(in: 1...6, using: &random)).map { i in
      let (dtype, width) = dtypes.randomElement(using: &random)!
      let count = [1, 7, 1000, 140_000, i == 0 ? 1_300_000 : 3].randomElement(using: &random)!
      return TestTensor(
        "t.\(i).é\(i % 2 == 0 ? "" : "\"")", dtype, [count],
        bytes: (0..<count * width).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
  }

  @Test("patch → delta → patch: one identity; the same bytes for any number of threads", arguments: 0..<12)
  func roundTrip(seed: UInt64) throws {
    var random = TestRandom(seed)
    let scene = try DeltaScene(Self.model(&random))
    var tuned = scene.base
    for i in tuned.indices where i == 0 || Bool.random(using: &random) {
      // From a single changed byte to every one.
      let step = [1, 3, 1000, tuned[i].bytes.count].randomElement(using: &random)!
      for at in stride(from: 0, to: tuned[i].bytes.count, by: step) {
        tuned[i].bytes[at] ^= UInt8.random(in: 1...255, using: &random)
      }
    }
    let patch = try scene.create(scene.folder.file("tuned.safetensors", tuned), as: "tuned.vpatch")
    let result = try scene.export(patch, to: "one", threads: 1)
    _ = try scene.export(patch, to: "three", threads: 3)
    #expect(try scene.folder.tree("one") == scene.folder.tree("three"))
    #expect(result.tensors == patch.header.touched.count && result.files.last?.name == "model.safetensors.index.json")
    for threads in [1, 3] {
      #expect(try scene.create(scene.folder["one"], threads: threads).identity == patch.identity)
    }
  }

  @Test("any piece can be read in any order") func anyOrder() throws {
    let scene = try DeltaScene([.weights("w", [700, 999])])
    let tuned = scene.base[0].tuned()
    try scene.write([DeltaScene.Frame(scene.base[0], tuned)])
    let base = try SafetensorsCheckpoint(path: scene.folder["base.safetensors"])
    let delta = try DeltaCheckpoint(path: scene.folder["delta"], over: base, threads: 2)
    var random = TestRandom(3)
    for _ in 0..<40 {
      let start = Int.random(in: 0..<tuned.bytes.count, using: &random)
      let count = Int.random(in: 0...min(400_000, tuned.bytes.count - start), using: &random)
      var bytes = [UInt8](repeating: 0, count: count)
      try bytes.withUnsafeMutableBytes { try delta.source(of: delta.tensors[0]).read(into: $0, at: start) }
      #expect(bytes == Array(tuned.bytes[start..<start + count]))
    }
    try delta.requireStillThere()
  }

  @Test("a change that no front-to-back reading checked is found before the patch is finished") func unread() throws {
    let scene = try DeltaScene()
    var frames = scene.frames(scene.base.tuned("q_proj"))
    frames[0].checksum = "00000001"
    try scene.write(frames)
    let base = try SafetensorsCheckpoint(path: scene.folder["base.safetensors"])
    let delta = try DeltaCheckpoint(path: scene.folder["delta"], over: base, threads: 1)
    #expect(throws: VPatchError.self) { try delta.requireStillThere() }
  }

  @Test("what a delta cannot say is refused, and the remedy names what can", arguments: ["add", "remove", "replace"])
  func notChanges(operation: String) throws {
    let scene = try DeltaScene()
    var tuned = scene.base.tuned("q_proj")
    switch operation {
    case "add": tuned.append(.weights("extra.weight", [4, 4]))
    case "remove": tuned.removeLast()
    default: tuned[tuned.count - 1] = .f32("model.norm.weight", [16], [Float](repeating: 1, count: 16))
    }
    let base = try SafetensorsCheckpoint(path: scene.folder["base.safetensors"])
    var options = CreateOptions()
    (options.allowsAdditions, options.allowsRemovals) = (true, true)
    let side = try SafetensorsCheckpoint(path: scene.folder.file("tuned.safetensors", tuned))
    _ = try Create(base: base, tuned: side, options: options, work: WorkOptions(threads: 1))
      .write(to: scene.folder["p.vpatch"])
    let patch = try Patch(path: scene.folder["p.vpatch"])
    let error = try #require(throws: VPatchError.self) { try scene.export(patch, to: "out") }
    #expect(error.code == .refused && error.remedy?.contains("vpatch apply BASE") == true, "\(error)")
    #expect(error.reason.contains(operation), "\(error)")
    #expect(!scene.folder.exists("out"))
  }

  @Test("export: the wrong base, the tuned model, an output that exists") func refusedExports() throws {
    let scene = try DeltaScene()
    let tuned = scene.base.tuned("q_proj")
    let patch = try scene.create(scene.folder.file("tuned.safetensors", tuned), as: "p.vpatch")
    for (name, tensors) in [("tuned", tuned), ("other", scene.base.tuned("q_proj", seed: 5))] {
      let other = try scene.folder.file("\(name).safetensors", tensors)
      let error = try #require(throws: VPatchError.self) { try scene.export(patch, to: "out", over: other) }
      #expect(error.code == .wrongBase, "\(error)")
      #expect(error.remedy?.contains(patch.header.baseRoot.short) == true, "\(error)")
    }
    try scene.folder.write("out/file", "mine")
    let error = try #require(throws: VPatchError.self) { try scene.export(patch, to: "out") }
    #expect(error.code == .refused, "\(error)")
    #expect(try scene.folder.names(in: "out") == ["file"])
  }
}
