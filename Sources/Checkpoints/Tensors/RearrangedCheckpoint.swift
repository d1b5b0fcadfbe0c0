import Base

/// A checkpoint some of whose tensors are read as others: rearrangements of one or several of them.
package struct RearrangedCheckpoint: Checkpoint {
  /// A tensor that is not stored.
  package struct Tensor: Sendable {
    package let info: TensorInfo
    package let sources: [TensorInfo]
    package let blocks: [TensorBlock]

    package init(_ info: TensorInfo, of sources: [TensorInfo], _ blocks: [TensorBlock]) {
      self.info = info
      self.sources = sources
      self.blocks = blocks
    }
  }

  package let tensors: [CheckpointTensor]
  private let stored: any Checkpoint
  /// With the stored tensors that each is made of.
  private let rearranged: [(tensor: Tensor, sources: [CheckpointTensor])]

  /// The file of a tensor that is not stored. Its offset is its index.
  private static let noFile = -1

  /// - Parameter rearranged: replace the stored tensors that they are made of.
  package init(_ stored: any Checkpoint, _ rearranged: [Tensor]) {
    self.stored = stored
    self.rearranged = rearranged.map { tensor in
      (tensor, tensor.sources.map { stored.tensor(named: $0.name)! })
    }
    let replaced = Set(rearranged.flatMap { $0.sources.map(\.name.bytesKey) })
    let made = rearranged.enumerated().map { CheckpointTensor(info: $1.info, file: Self.noFile, offset: $0) }
    tensors = (stored.tensors.filter { !replaced.contains($0.name.bytesKey) } + made).sorted {
      $0.name.precedes($1.name)
    }
  }

  package var path: String { stored.path }
  package var isDirectory: Bool { stored.isDirectory }
  package var totalBytes: Int { stored.totalBytes }
  package var inputs: [InputFile] { stored.inputs }
  package var mayLackUnchanged: Bool { stored.mayLackUnchanged }

  package func source(of tensor: CheckpointTensor) -> any TensorSource {
    guard tensor.file == Self.noFile else { return stored.source(of: tensor) }
    let (tensor, sources) = rearranged[tensor.offset]
    return RearrangedTensor(tensor.info, of: sources.map(stored.source), tensor.blocks)
  }

  package func requireSameBytes() throws { try stored.requireSameBytes() }
  package func requireStillThere() throws { try stored.requireStillThere() }
  package func warning() throws -> String? { try stored.warning() }
}
