import Base

/// Tensors that are put together from pieces of files: parts of a tensor that several ranks saved, views of a storage.
package struct AssembledCheckpoint: Checkpoint {
  /// A part of a tensor.
  struct Part: Sendable {
    /// The bytes that the part's elements are in.
    let bytes: CheckedBytes
    /// Which of the elements these are.
    let source: TensorBox
    /// Where the part is in the tensor: the first index and the size of each axis.
    let offsets: [Int]
    let sizes: [Int]
  }

  struct Tensor: Sendable {
    let info: TensorInfo
    let parts: [Part]
  }

  package let path: String
  package let isDirectory: Bool
  package private(set) var tensors: [CheckpointTensor]
  package private(set) var totalBytes: Int
  package let inputs: [InputFile]
  package let mayLackUnchanged: Bool
  /// In the order of `tensors`.
  private let assembled: [(sources: [CheckedBytes], blocks: [TensorBlock])]
  /// Names of what it holds beside tensors: numbers of steps, states of random generators.
  package let values: [String]
  /// Names of tensors that were left out.
  package private(set) var leftOut: [String] = []

  /// - Parameters:
  ///   - tensors: each name once.
  ///   - mayLackUnchanged: whether tensors that it lacks are unchanged.
  ///   - values: names of what it holds beside tensors.
  /// - Throws: `invalid` where the parts of a tensor do not make the whole.
  init(
    path: String, isDirectory: Bool, inputs: [InputFile], tensors: [Tensor], mayLackUnchanged: Bool = false,
    values: [String] = []
  ) throws {
    let sorted = tensors.sorted { $0.info.name.precedes($1.info.name) }
    (self.path, self.isDirectory, self.inputs) = (path, isDirectory, inputs)
    (self.mayLackUnchanged, self.values) = (mayLackUnchanged, values)
    self.tensors = sorted.enumerated().map { CheckpointTensor(info: $1.info, file: 0, offset: $0) }
    guard let totalBytes = sorted.lazy.map(\.info.byteCount).sumWithinLimits() else {
      throw VPatchError(.invalid, path, "has tensors of more than \(Limits.number) bytes together")
    }
    self.totalBytes = totalBytes
    assembled = try sorted.map { tensor in
      let parts = tensor.parts.filter { !$0.sizes.contains(0) }
      if let reason = TensorCover.problem(parts.map { ($0.offsets, $0.sizes) }, shape: tensor.info.shape) {
        throw VPatchError(
          .invalid, path, "has parts of \"\(tensor.info.name.printable)\" that \(reason)",
          remedy: "copy the whole checkpoint again, or save it again")
      }
      let blocks = parts.enumerated().map { i, part in
        var target = TensorBox(shape: tensor.info.shape)
        for (axis, (offset, size)) in zip(part.offsets, part.sizes).enumerated() {
          target = target.slicing(offset..<offset + size, axis: axis)!
        }
        return TensorBlock(target, from: part.source, source: i)!
      }
      return (parts.map(\.bytes), blocks)
    }
  }

  /// Some of the tensors, under other names.
  /// - Parameter name: the new name of a tensor; nil for one that is left out. No two are the same.
  package func selecting(_ name: (TensorInfo) -> String?) -> AssembledCheckpoint {
    var part = self
    part.tensors = tensors.compactMap { tensor in
      guard let name = name(tensor.info) else {
        part.leftOut.append(tensor.name)
        return nil
      }
      let (info, place) = (tensor.info, tensor.offset)
      return CheckpointTensor(
        info: TensorInfo(name: name, dtype: info.dtype, shape: info.shape, byteCount: info.byteCount), file: 0,
        offset: place)
    }.sorted { $0.name.precedes($1.name) }
    part.totalBytes = part.tensors.reduce(0) { $0 + $1.info.byteCount }
    return part
  }

  package func source(of tensor: CheckpointTensor) -> any TensorSource {
    let (sources, blocks) = assembled[tensor.offset]
    return RearrangedTensor(tensor.info, of: sources.map(CheckedTensor.init), blocks)
  }

  package func requireSameBytes() throws {
    for input in inputs where try !input.hasSameBytes() { throw InputFile.changed(input.path) }
  }

  package func requireStillThere() throws { for input in inputs { try input.requireUnchanged() } }

  package func warning() throws -> String? { nil }
}

/// Bytes of a file as a tensor.
private final class CheckedTensor: TensorSource {
  let info: TensorInfo
  private let bytes: CheckedBytes

  init(_ bytes: CheckedBytes) {
    self.bytes = bytes
    info = TensorInfo(name: "", dtype: DType("U8")!, shape: [bytes.range.count], byteCount: bytes.range.count)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try bytes.read(into: buffer, at: offset)
  }
}
