import Base

/// Collects tensors that come one by one from memory, in any order, as the tuned side of a patch.
///
/// Bytes stay where they are, if the caller keeps them; or they are compared with the base's, and where they differ
/// copied to a temporary file. So a model of any size passes through in constant memory, and what is unchanged is not
/// written at all.
package final class TensorCollection {
  private let base: any Checkpoint
  private let scratchBeside: String
  private var scratch: OutputFile?
  private var scratchSize = 0
  private var places: [String: (info: TensorInfo, place: CollectedCheckpoint.Place)] = [:]

  /// - Parameters:
  ///   - base: unchanged tensors are read from it.
  ///   - path: the temporary file is created beside it.
  package init(over base: any Checkpoint, scratchBeside path: String) {
    self.base = base
    scratchBeside = path
  }

  /// Adds a tensor whose bytes the caller keeps until the patch is written.
  /// - Throws: `refused` for a second tensor of that name.
  package func add(_ info: TensorInfo, borrowing bytes: UnsafeRawBufferPointer) throws {
    try add(info, .memory(CollectedCheckpoint.Memory(bytes: bytes)))
  }

  /// Adds a tensor whose bytes are valid only now.
  /// - Throws: `refused` for a second tensor of that name; `io`.
  package func add(_ info: TensorInfo, copying bytes: UnsafeRawBufferPointer) throws {
    if let tensor = base.tensor(named: info.name), tensor.info == info,
      try Self.holds(base.source(of: tensor), bytes)
    {
      return try add(info, .base(tensor))
    }
    let file = try scratch ?? OutputFile(path: scratchBeside, replacing: true)
    scratch = file
    try add(info, .scratch(scratchSize))
    try file.write(bytes, at: scratchSize)
    scratchSize += bytes.count
  }

  private func add(_ info: TensorInfo, _ place: CollectedCheckpoint.Place) throws {
    guard places.updateValue((info, place), forKey: info.name.bytesKey) == nil else {
      throw VPatchError(
        .refused, nil, "the tensor \"\(info.name.printable)\" was given twice", remedy: "give each tensor once")
    }
  }

  private static func holds(_ source: any TensorSource, _ bytes: UnsafeRawBufferPointer) throws -> Bool {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: TensorPiece.size, alignment: 64)
    defer { buffer.deallocate() }
    for start in stride(from: 0, to: bytes.count, by: TensorPiece.size) {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(TensorPiece.size, bytes.count - start)])
      try source.read(into: piece, at: start)
      let given = UnsafeRawBufferPointer(rebasing: bytes[start..<start + piece.count])
      guard UnsafeRawBufferPointer(piece).elementsAreEqual(given) else { return false }
    }
    return true
  }

  /// What was added.
  /// - Throws: `refused` where nothing was, or it is too much.
  package func checkpoint() throws -> CollectedCheckpoint {
    let sorted = places.values.sorted { $0.info.name.precedes($1.info.name) }
    guard !sorted.isEmpty else {
      throw VPatchError(.refused, nil, "no tensor was given", remedy: "give the trained tensors")
    }
    guard let total = sorted.lazy.map(\.info.byteCount).sumWithinLimits() else {
      throw VPatchError(.refused, nil, "the tensors have more than \(Limits.number) bytes together")
    }
    return CollectedCheckpoint(
      tensors: sorted.enumerated().map { CheckpointTensor(info: $1.info, file: 0, offset: $0) }, totalBytes: total,
      places: sorted.map(\.place), base: base, scratch: scratch)
  }
}

/// The tensors of a `TensorCollection`.
package struct CollectedCheckpoint: Checkpoint {
  /// Bytes that the caller keeps as they are.
  struct Memory: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
  }

  enum Place: Sendable {
    case memory(Memory)
    case base(CheckpointTensor)
    /// From this offset of the temporary file on.
    case scratch(Int)
  }

  package let tensors: [CheckpointTensor]
  package let totalBytes: Int
  fileprivate let places: [Place]
  fileprivate let base: any Checkpoint
  fileprivate let scratch: OutputFile?

  fileprivate init(
    tensors: [CheckpointTensor], totalBytes: Int, places: [Place], base: any Checkpoint, scratch: OutputFile?
  ) {
    self.tensors = tensors
    self.totalBytes = totalBytes
    self.places = places
    self.base = base
    self.scratch = scratch
  }

  package var path: String { "the tuned model in memory" }
  package var isDirectory: Bool { false }
  package var inputs: [InputFile] { [] }

  package func source(of tensor: CheckpointTensor) -> any TensorSource {
    switch places[tensor.offset] {
    case .memory(let memory): MemoryTensor(tensor.info, memory.bytes)
    case .base(let tensor): base.source(of: tensor)
    case .scratch(let start): ScratchTensor(tensor.info, scratch!, start)
    }
  }

  package func requireSameBytes() throws {}
  package func requireStillThere() throws {}
  package func warning() throws -> String? { nil }
}

/// A tensor in a temporary file.
private final class ScratchTensor: TensorSource {
  let info: TensorInfo
  private let file: OutputFile
  private let start: Int

  init(_ info: TensorInfo, _ file: OutputFile, _ start: Int) {
    (self.info, self.file, self.start) = (info, file, start)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try file.read(into: buffer, at: start + offset)
  }
}
