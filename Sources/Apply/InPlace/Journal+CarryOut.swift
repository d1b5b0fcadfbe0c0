import PatchFormat

extension Journal {
  /// Does to the model what the journal says, and removes it. Everything here can be done again from the beginning,
  /// however far it came before.
  /// - Parameters:
  ///   - payload: the journal, open; its regions' new bytes begin at `start`.
  ///   - files: the journal's files, open and locked.
  func carryOut(
    _ payload: InputFile, from start: Int, onto files: [InPlaceFile], _ place: ModelPlace, _ work: WorkOptions
  ) throws {
    try copyRegions(payload, from: start, onto: files, work)
    for file in files { try file.sync() }
    try swapFiles(in: place.folder)
    // Last, when all it speaks of is durable.
    try Directory.remove(place.journalPath)
    // Should the folder forget this, the journal is back after a power cut, and doing it again changes nothing.
    try? Directory.syncOrFail(place.folder)
  }

  private func copyRegions(
    _ payload: InputFile, from start: Int, onto files: [InPlaceFile], _ work: WorkOptions
  ) throws {
    let sizes = regions.map(\.range.count)
    let offsets = payloadOffsets(from: start)
    work.progress.begin("writing", total: sizes.reduce(0, +))
    _ = try LargestFirst.map(sizes, threads: work.threads) { i in
      let region = regions[i]
      let file = files[region.file]
      try file.copy(from: payload, offsets[i]..<offsets[i] + sizes[i], at: region.offset)
      // What stands there now, and not what was meant to: while the disk is at work on it.
      let isRight = try region.tensor.matches { try file.read(into: $0, at: region.offset + $1) }
      guard isRight else {
        throw VPatchError(
          .io, file.path,
          "does not hold what was written to it in the tensor \"\(region.tensor.info.name.printable)\": another "
            + "program writes to it, or the disk fails")
      }
      work.progress.advance(sizes[i])
    }
  }

  private func swapFiles(in folder: String) throws {
    guard !renames.isEmpty || !removals.isEmpty else { return }
    for rename in renames {
      let from = Path.join(folder, rename.from)
      if try PathKind.of(from, followingLinks: false) != .missing {
        try Directory.rename(from, to: Path.join(folder, rename.to))
      }
    }
    for removal in removals { try Directory.remove(Path.join(folder, removal.name)) }
    try Directory.syncOrFail(folder)
  }
}

extension FingerprintedTensor {
  /// Whether the bytes that `read` gives, piece by piece, have this fingerprint.
  func matches(_ read: (_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) throws -> Void) throws -> Bool {
    let hasher = info.fingerprintHasher()
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(min(TensorPiece.size, info.byteCount), 1), alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < info.byteCount {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, info.byteCount - offset)])
      try read(piece, offset)
      hasher.update(UnsafeRawBufferPointer(piece))
      offset += piece.count
    }
    return hasher.finalize() == fingerprint
  }
}
