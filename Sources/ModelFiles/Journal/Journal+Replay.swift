import Base
import Checkpoints

extension Journal {
  /// Replays the journal on the model and removes it. Can be repeated from the beginning after an interruption at any
  /// point.
  /// - Parameters:
  ///   - payload: the open journal. Its regions' new bytes begin at `start`.
  ///   - files: the journal's files, open and locked.
  ///   - lost: new names whose finished files are missing; these renames are skipped.
  func replay(
    _ payload: InputFile, from start: Int, onto files: [InPlaceFile], _ place: ModelPlace,
    without lost: Set<String> = [],
    _ work: WorkOptions
  ) throws {
    try copyRegions(payload, from: start, onto: files, work)
    for file in files { try file.sync() }
    try swapFiles(in: place, without: lost)
    // Last, when all its changes are durable.
    try Directory.remove(place.journalPath)
    // If the folder loses this removal in a power cut, the journal is back. Replaying it again changes nothing.
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
      // Checks the bytes read back, not the intended ones, while the disk writes them.
      let isRight = try region.tensor.matches { try file.read(into: $0, at: region.offset + $1) }
      guard isRight else {
        throw VPatchError(
          .io, file.path,
          "differs from what was written to it in the tensor \"\(region.tensor.info.name.printable)\": another "
            + "program writes to it, or the disk fails")
      }
      work.progress.advance(sizes[i])
    }
  }

  private func swapFiles(in place: ModelPlace, without lost: Set<String>) throws {
    guard !renames.isEmpty || !removals.isEmpty else { return }
    for rename in renames where !lost.contains(rename.to) {
      let to = Path.join(place.folder, rename.to)
      switch try state(of: rename, in: place.folder) {
      case .ready(let over): try Directory.rename(Path.join(place.folder, rename.from), to: to, replacing: over)
      case .twice: try Directory.remove(Path.join(place.folder, rename.from))
      case .done: break
      case .obstructed: throw place.isObstructed(rename.to)
      case .lost: throw place.hasLost(rename.to)
      }
    }
    for removal in removals {
      switch try state(of: removal, in: place.folder) {
      case .ready: try Directory.remove(Path.join(place.folder, removal.name))
      case .done: break
      case .obstructed: throw place.isObstructed(removal.name)
      }
    }
    try Directory.syncOrFail(place.folder)
  }
}

extension JournalFile {
  /// Commits the journal and replays it. An interrupt no longer stops this.
  /// - Throws: what `commit` throws; afterwards errors of an unfinished change. A journal that only adds new files is
  ///   undone instead, if possible.
  func decide(onto files: [InPlaceFile] = [], _ place: ModelPlace, _ work: WorkOptions) throws {
    try TemporaryFiles.uninterrupted {
      try commit()
      do {
        let payload = try InputFile(path: place.journalPath)
        try journal.replay(payload, from: payload.size - journal.payloadBytes, onto: files, place, work)
        TemporaryFiles.isDone()
      } catch let error as VPatchError {
        guard journal.onlyAdds, (try? journal.takeBack(in: place)) != nil else {
          return try place.whileDecided { throw error }
        }
        throw VPatchError(error.code, error.subject, error.reason, remedy: "nothing was written: run the command again")
      }
    }
    // The journal stays locked up to here.
    withExtendedLifetime(self) {}
  }
}

extension FingerprintedTensor {
  /// Whether the bytes from `read`, in pieces, have this fingerprint.
  package func matches(_ read: (_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) throws -> Void) throws -> Bool {
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
