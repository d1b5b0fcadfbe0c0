import PatchFormat

/// Makes the entries of a patch of tensors whose fingerprints are known on both sides: encodes what differs, in
/// parallel, and checks what was encoded.
struct PatchBuilder: Sendable {
  /// A tensor of either side.
  struct Tensor: Sendable {
    let base: FingerprintedTensor?
    let target: FingerprintedTensor?
    let content: Content

    var name: String { (base ?? target)!.info.name }
    var operation: Operation { Operation.turning(base?.info, into: target?.info) }
  }

  enum Content: Sendable {
    /// Both sides are the same.
    case same
    /// To be encoded. Each is called from several threads, and gives a source for that thread alone.
    case encoded(base: Source, target: Source)
    /// The same, of bytes of which only the differences are right.
    case differences(base: Source, target: Source)
    /// Another patch has exactly this entry.
    case copied(from: Patch, PatchTensor)
  }

  typealias Source = @Sendable () throws -> (any TensorSource)?

  /// Whose bits the patch makes, for messages.
  let subject: String
  let work: WorkOptions

  /// One chunk to be made.
  private struct Job: Sendable {
    /// Which of the tensors.
    let tensor: Int
    let role: ChunkRole
    let range: Range<Int>
  }

  /// Writes all chunks.
  /// - Returns: an entry for each tensor, in their order.
  func entries(_ tensors: [Tensor], _ writer: PatchWriter) throws -> [PatchWriter.Entry] {
    let jobs = tensors.indices.flatMap { i in Self.jobs(i, tensors[i]) }
    let sizes = jobs.map(\.range.count)
    work.progress.begin("encoding", total: sizes.reduce(0, +))
    let chunks = try LargestFirst.map(sizes, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      let stored = try encode(jobs[i], tensors[jobs[i].tensor])
      return try writer.add(stored, role: jobs[i].role, decoded: sizes[i])
    }
    var chunksOf: [Int: [PatchWriter.ScratchChunk]] = [:]
    for (job, chunk) in zip(jobs, chunks) { chunksOf[job.tensor, default: []].append(chunk) }
    return try tensors.enumerated().map { i, tensor in
      switch tensor.content {
      case .same: PatchWriter.Entry(operation: .same, base: tensor.base, target: tensor.base, chunks: [])
      case .encoded, .differences:
        PatchWriter.Entry(
          operation: tensor.operation, base: tensor.base, target: tensor.target, chunks: chunksOf[i] ?? [])
      case .copied(let patch, let entry):
        PatchWriter.Entry(
          operation: entry.operation, base: entry.base, target: entry.target,
          chunks: try entry.chunks.map { try writer.copy($0, of: patch) })
      }
    }
  }

  private static func jobs(_ i: Int, _ tensor: Tensor) -> [Job] {
    switch tensor.content {
    case .same, .copied: return []
    case .encoded, .differences: break
    }
    let parts = PatchTensor.Parts(tensor.operation, tensor.base?.info, tensor.target?.info)
    let shared = parts.difference
    return split(shared, tensor.target?.info).map { Job(tensor: i, role: .difference, range: $0) }
      + split(parts.baseOnly, tensor.base?.info).map {
        Job(tensor: i, role: .base, range: $0.lowerBound + shared..<$0.upperBound + shared)
      }
      + split(parts.targetOnly, tensor.target?.info).map {
        Job(tensor: i, role: .target, range: $0.lowerBound + shared..<$0.upperBound + shared)
      }
  }

  /// Ranges of about 2 MiB, in whole rows where rows are shorter than that.
  private static func split(_ length: Int, _ info: TensorInfo?) -> [Range<Int>] {
    guard length > 0 else { return [] }
    let most = 1 << 21
    var step = most
    if let row = info?.rowBytes, row > 0, row <= most { step = most / row * row }
    return stride(from: 0, to: length, by: step).map { $0..<min($0 + step, length) }
  }

  private func encode(_ job: Job, _ tensor: Tensor) throws -> [UInt8] {
    let (base, target, withContext): (Source, Source, Bool)
    switch tensor.content {
    case .encoded(let a, let b): (base, target, withContext) = (a, b, true)
    case .differences(let a, let b): (base, target, withContext) = (a, b, false)
    case .same, .copied: preconditionFailure("nothing to encode")
    }
    let format = ((job.role == .base ? tensor.base : tensor.target) ?? tensor.target!).info.dtype.element
    guard job.role == .difference else {
      return try read(job.role == .base ? base : target, job.range) {
        ChunkCoder.encodeContent($0, format: format)
      }
    }
    let rowLength = tensor.target?.info.shape.last.flatMap { $0 > 0 ? $0 : nil }
    return try read(base, job.range) { base in
      try read(target, job.range) { target in
        let stored = ChunkCoder.encodeDifference(
          base: base, target: target, format: format, rowLength: rowLength, withContext: withContext)
        try check(stored, base: base, target: target, format, tensor)
        return stored
      }
    }
  }

  private func read<R>(
    _ source: Source, _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> R
  ) throws -> R {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 64)
    defer { buffer.deallocate() }
    try source()!.read(into: buffer, at: range.lowerBound)
    return try body(UnsafeRawBufferPointer(buffer))
  }

  /// What was encoded is decoded again and compared. The way back needs no decoding of its own here: the encoder has
  /// gone it, element by element, to find out where it is ambiguous.
  private func check(
    _ stored: [UInt8], base: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, _ format: ElementFormat,
    _ tensor: Tensor
  ) throws {
    let result = UnsafeMutableRawBufferPointer.allocate(byteCount: base.count, alignment: 64)
    defer { result.deallocate() }
    try stored.withUnsafeBytes {
      try ChunkCoder.decodeDifference($0, from: base, into: result, format: format, direction: .forward)
    }
    guard UnsafeRawBufferPointer(result).elementsAreEqual(target) else {
      throw VPatchError(
        .mismatch, subject, "has the tensor \"\(tensor.name.printable)\" whose difference does not decode again",
        remedy: "this is a bug in vpatch: please report it")
    }
  }
}
