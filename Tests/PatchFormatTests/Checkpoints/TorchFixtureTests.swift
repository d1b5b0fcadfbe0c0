import Base
import Checkpoints
import Foundation
import Testing

/// Checkpoints that PyTorch wrote (fixtures/torch, fixtures/torch-2.4). Beside each are its tensors in safetensors form,
/// or nothing where it must be refused.
@Suite("Checkpoints of PyTorch are read as PyTorch reads them, or refused") struct TorchFixtureTests {
  static let cases: [String] = ["torch", "torch-2.4"].flatMap { folder in
    let names = (try? Path.entries(of: Fixtures.path(folder))) ?? []
    return names.filter { !$0.contains(".") }.sorted().map { "\(folder)/\($0)" }
  }

  /// These also hold an optimizer's state, or a complex tensor, which are not in the expected file.
  private static let holdMore = ["bin_nested", "nested_optimizer", "optimizer_flat", "float8_sharded"]

  @Test(arguments: cases) func asPyTorchReadsIt(_ name: String) throws {
    let folder = Fixtures.path(name)
    let expected = folder + ".expected.safetensors"
    guard try PathKind.of(expected) != .missing else {
      let error = refusal(name) { _ = try TorchFixtures.root(Containers.open(folder)) }
      #expect(error?.remedy?.isEmpty == false)
      return
    }
    for path in try Self.places(folder) {
      let (found, wanted) = (try Containers.open(path), try Containers.open(expected))
      for tensor in wanted.tensors {
        let other = try #require(found.tensor(named: tensor.name), "\(tensor.name)")
        #expect(other.info == tensor.info)
        #expect(try found.source(of: other).bytes() == wanted.source(of: tensor).bytes(), "\(tensor.name)")
      }
      if !Self.holdMore.contains(Path.name(name)) {
        #expect(try TorchFixtures.root(found) == TorchFixtures.root(wanted))
      }
    }
  }

  /// The folder, or its files where each is a checkpoint.
  private static func places(_ folder: String) throws -> [String] {
    let files = try Path.entries(of: folder).filter { $0.hasSuffix(".bin") && !$0.hasPrefix("pytorch_model") }
    return files.isEmpty ? [folder] : files.map { Path.join(folder, $0) }
  }

  @Test(
    "What is refused is named",
    arguments: [
      ("zstandard", "stream.zstd/1"), ("bin_module", "torch.nn.modules.linear.Linear"),
      ("bin_numpy_conj", "_rebuild_qtensor"),
      ("bin_subclass", "numpy"), ("bin_big_endian", "big-endian"),
    ]) func named(_ name: String, _ words: String)
  {
    let error = refusal(name) { _ = try Containers.open(Fixtures.path("torch/\(name)")) }
    #expect(error?.reason.contains(words) == true, "\(error!)")
  }
}

enum TorchFixtures {
  static func root(_ checkpoint: any Checkpoint) throws -> ContentDigest {
    ContentDigest.root(of: try checkpoint.tensors.map { ($0.name, try checkpoint.source(of: $0).fingerprint()) })
  }
}

@Suite("A damaged checkpoint of PyTorch is refused, or read as it was") struct TorchDamageTests {
  let scratch = Scratch()

  /// A copy of a fixture.
  private func copy(_ name: String) throws -> String {
    let path = scratch.file(Path.name(name))
    try FileManager.default.copyItem(atPath: Fixtures.path(name), toPath: path)
    return path
  }

  /// With the stride between flipped bits. The tensors' names are only in `.metadata`, without a checksum: another name
  /// is none of the base's.
  @Test(arguments: [
    ("fsdp2_uneven-3", ".metadata", 11), ("mesh_2d", ".metadata", 7), ("transposed", "__0_0.distcp", 13),
    ("bin_views", "pytorch_model.bin", 7),
  ]) func flippedBits(_ name: String, _ file: String, _ step: Int) throws {
    let folder = try copy("torch/\(name)")
    let path = Path.join(folder, file)
    let bytes = try contents(path)
    let names = try Containers.open(folder).tensors.map(\.name)
    let root = try TorchFixtures.root(Containers.open(folder))
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    func put(_ byte: UInt8, _ at: Int) throws {
      try handle.seek(toOffset: UInt64(at))
      try handle.write(contentsOf: [byte])
    }
    var refused = 0
    for bit in stride(from: 0, to: bytes.count * 8, by: step) {
      try put(bytes[bit / 8] ^ 1 << UInt8(bit % 8), bit / 8)
      do {
        let checkpoint = try Containers.open(folder)
        if checkpoint.tensors.map(\.name) == names {
          #expect(try TorchFixtures.root(checkpoint) == root, "bit \(bit)")
        }
      } catch is VPatchError { refused += 1 }
      try put(bytes[bit / 8], bit / 8)
    }
    #expect(refused > 100)
  }

  @Test(arguments: [
    ("fsdp2_uneven-2", ".metadata"), ("fsdp2_uneven-2", "__1_0.distcp"), ("bin_zip", "pytorch_model.bin"),
    ("bin_legacy", "pytorch_model.bin"), ("hf_sharded-2", "shard-00001-model-00001-of-00001.safetensors"),
  ]) func cutShort(_ name: String, _ file: String) throws {
    let folder = try copy("torch/\(name)")
    let path = Path.join(folder, file)
    let bytes = try contents(path)
    let root = try TorchFixtures.root(Containers.open(folder))
    var refused = 0
    let counts = Array(stride(from: 0, to: bytes.count, by: 37))
    for count in counts {
      try Data(bytes[..<count]).write(to: URL(filePath: path))
      do {
        // A rank's file may end with a part that has no elements.
        #expect(try TorchFixtures.root(Containers.open(folder)) == root, "\(count) bytes")
      } catch is VPatchError { refused += 1 }
    }
    #expect(refused * 10 > counts.count * 8)
  }

  @Test(arguments: [
    ("fsdp2_uneven-3", "__1_0.distcp", "copy the files of all ranks"),
    ("hf_sharded-3", "shard-00002-model-00001-of-00001.safetensors", "copy the files of all ranks"),
    ("bin_sharded", "pytorch_model-00002-of-00002.bin", "download the missing shard"),
  ]) func missingFile(_ name: String, _ file: String, _ remedy: String) throws {
    let folder = try copy("torch/\(name)")
    try FileManager.default.removeItem(atPath: Path.join(folder, file))
    let error = refusal(name) { _ = try Containers.open(folder) }
    #expect(error?.remedy?.contains(remedy) == true, "\(error!)")
  }

  @Test func filesOfTwoSaves() throws {
    let folder = try copy("torch/fsdp2_uneven-3")
    let other = Fixtures.path("torch/threads3/__1_0.distcp")
    try FileManager.default.removeItem(atPath: Path.join(folder, "__1_0.distcp"))
    try FileManager.default.copyItem(atPath: other, toPath: Path.join(folder, "__1_0.distcp"))
    #expect(throws: VPatchError.self) { try TorchFixtures.root(Containers.open(folder)) }
  }

  @Test(arguments: [".metadata", "__0_0.distcp"]) func oneFileOfMany(_ file: String) {
    let path = Fixtures.path("torch/fsdp2_uneven-2/\(file)")
    let error = refusal(file) { _ = try Containers.open(path) }
    #expect(error?.remedy?.hasPrefix("give its folder") == true, "\(error!)")
  }
}
