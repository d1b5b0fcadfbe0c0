import PatchFormat
import TestModels

@testable import Apply
@testable import Base
@testable import Checkpoints

/// A base and patches of it, in a folder of their own.
struct Siblings {
  let folder: TestFolder
  let base: SafetensorsCheckpoint
  let tuned: [SafetensorsCheckpoint]
  let patches: [Patch]

  init(_ base: [TestTensor], _ tuned: [[TestTensor]]) throws {
    let folder = try TestFolder()
    self.folder = folder
    self.base = try SafetensorsCheckpoint(path: folder.file("base", base))
    let start = self.base
    let models = try tuned.enumerated().map { try SafetensorsCheckpoint(path: folder.file("tuned-\($0)", $1)) }
    self.tuned = models
    patches = try models.enumerated().map { i, model in
      _ = try Create(base: start, tuned: model, options: .anyDifference, work: WorkOptions(threads: 1))
        .write(to: folder["\(i).vpatch"])
      return try Patch(path: folder["\(i).vpatch"])
    }
  }

  func stack(_ method: MergeMethod, _ scales: [Double]) throws -> StackDefinition {
    try StackDefinition(
      base: patches[0].header.baseRoot, method: method,
      members: zip(patches, scales).map { .init($0.identity, scale: $1) })
  }

  func source(_ name: String) -> (any TensorSource)? { base.tensor(named: name).map { StoredTensor($0, in: base) } }

  func merge(_ stack: StackDefinition, _ kernel: Kernel = .chosen) throws -> Merge {
    try Merge(stack, patches: patches.filter { stack.members.map(\.identity).contains($0.identity) }, kernel: kernel)
  }

  /// The bytes of a tensor of the result.
  func bytes(_ merge: Merge, _ name: String) throws -> [UInt8] {
    try merge.source(name) { source($0) }.bytes()
  }

  /// All touched tensors of the result, one behind the other.
  func bytes(_ stack: StackDefinition) throws -> [UInt8] {
    let merge = try merge(stack)
    return try base.tensors.map(\.name).flatMap { name in
      merge.touched.contains(name) ? try bytes(merge, name) : try source(name)!.bytes()
    }
  }
}

extension [UInt64] {
  /// Elements of so many bytes, little-endian.
  func bytes(width: Int) -> [UInt8] { flatMap { [UInt8](littleEndian: $0).prefix(width) } }
}
