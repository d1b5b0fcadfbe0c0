import PatchFormat

extension Create {
  /// A tensor's entry, and what changes for a file's layout.
  struct Encoded: Sendable {
    let entry: PatchWriter.Entry
    /// The tensor's name, with what it becomes; nil where it stays.
    let change: LayoutChange?
  }

  /// One chunk to be made.
  private struct Job: Sendable {
    /// Which of the compared pairs.
    let pair: Int
    let role: ChunkRole
    let range: Range<Int>
  }

  /// Encodes the differences of the pairs to keep, in parallel, into the writer.
  func encode(_ compared: [Compared], keeping kept: Set<String>, _ writer: PatchWriter) throws -> [Encoded] {
    var jobs: [Job] = []
    for (i, item) in compared.enumerated() where kept.contains(item.pair.name.bytesKey) {
      let pair = item.pair
      let operation = Operation.turning(pair.base?.info, into: pair.target)
      let parts = PatchTensor.Parts(operation, pair.base?.info, pair.target)
      jobs += Self.split(parts.difference, pair.target).map { Job(pair: i, role: .difference, range: $0) }
      let shared = parts.difference
      jobs += Self.split(parts.baseOnly, pair.base?.info).map {
        Job(pair: i, role: .base, range: $0.lowerBound + shared..<$0.upperBound + shared)
      }
      jobs += Self.split(parts.targetOnly, pair.target).map {
        Job(pair: i, role: .target, range: $0.lowerBound + shared..<$0.upperBound + shared)
      }
    }
    let planned = jobs
    let sizes = planned.map(\.range.count)
    work.progress.begin("encoding", total: sizes.reduce(0, +))
    let chunks = try LargestFirst.map(sizes, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      let stored = try encode(planned[i], compared[planned[i].pair].pair)
      return try writer.add(stored, role: planned[i].role, decoded: sizes[i])
    }
    var chunksOf: [Int: [PatchWriter.ScratchChunk]] = [:]
    for (job, chunk) in zip(planned, chunks) { chunksOf[job.pair, default: []].append(chunk) }
    return compared.enumerated().compactMap { i, item in
      self.entry(item, isKept: kept.contains(item.pair.name.bytesKey), chunksOf[i] ?? [])
    }
  }

  private func entry(_ item: Compared, isKept: Bool, _ chunks: [PatchWriter.ScratchChunk]) -> Encoded? {
    let pair = item.pair
    let base = pair.base.map { FingerprintedTensor($0.info, item.baseFingerprint!) }
    guard isKept else {
      // Equal, or left out of the patch: then it is as in the base, and what the base lacks is not there.
      return base.map {
        Encoded(entry: PatchWriter.Entry(operation: .same, base: $0, target: $0, chunks: []), change: nil)
      }
    }
    let target = pair.target.map { FingerprintedTensor($0, item.targetFingerprint!) }
    let operation = Operation.turning(base?.info, into: target?.info)
    return Encoded(
      entry: PatchWriter.Entry(operation: operation, base: base, target: target, chunks: chunks),
      change: LayoutChange(name: pair.name, target: pair.target))
  }

  /// Ranges of about 2 MiB, in whole rows where rows are shorter than that.
  private static func split(_ length: Int, _ info: TensorInfo?) -> [Range<Int>] {
    guard length > 0 else { return [] }
    let most = 1 << 21
    var step = most
    if let row = info?.rowBytes, row > 0, row <= most { step = most / row * row }
    return stride(from: 0, to: length, by: step).map { $0..<min($0 + step, length) }
  }

  private func encode(_ job: Job, _ pair: Pair) throws -> [UInt8] {
    func bytes(_ source: (any TensorSource)?) throws -> UnsafeMutableRawBufferPointer {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: job.range.count, alignment: 64)
      do { try source!.read(into: buffer, at: job.range.lowerBound) } catch {
        buffer.deallocate()
        throw error
      }
      return buffer
    }
    let format = ((job.role == .base ? pair.base?.info : pair.target) ?? pair.target!).dtype.element
    guard job.role == .difference else {
      let content = try bytes(job.role == .base ? baseSource(pair) : tunedSource(pair))
      defer { content.deallocate() }
      return ChunkCoder.encodeContent(UnsafeRawBufferPointer(content), format: format)
    }
    let base = try bytes(baseSource(pair))
    defer { base.deallocate() }
    let target = try bytes(tunedSource(pair))
    defer { target.deallocate() }
    let rowLength = pair.target?.shape.last.flatMap { $0 > 0 ? $0 : nil }
    let stored = ChunkCoder.encodeDifference(
      base: UnsafeRawBufferPointer(base), target: UnsafeRawBufferPointer(target), format: format, rowLength: rowLength)
    try check(stored, base: base, target: target, format, pair)
    return stored
  }

  /// What was encoded is decoded again and compared. The way back needs no decoding of its own here: the encoder has
  /// gone it, element by element, to find out where it is ambiguous.
  private func check(
    _ stored: [UInt8], base: UnsafeMutableRawBufferPointer, target: UnsafeMutableRawBufferPointer,
    _ format: ElementFormat, _ pair: Pair
  ) throws {
    let result = UnsafeMutableRawBufferPointer.allocate(byteCount: base.count, alignment: 64)
    defer { result.deallocate() }
    try stored.withUnsafeBytes {
      try ChunkCoder.decodeDifference(
        $0, from: UnsafeRawBufferPointer(base), into: result, format: format, direction: .forward)
    }
    guard UnsafeRawBufferPointer(result).elementsAreEqual(UnsafeRawBufferPointer(target)) else {
      throw VPatchError(
        .mismatch, tuned.path, "has the tensor \"\(pair.name.printable)\" whose difference does not decode again",
        remedy: "this is a bug in vpatch: please report it")
    }
  }
}
