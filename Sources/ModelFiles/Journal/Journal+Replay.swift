import Base
import Checkpoints

extension Journal {
  /// Does to the model what the journal says, and removes it. Everything here can be done again from the beginning,
  /// however far it came before.
  /// - Parameters:
  ///   - payload: the journal, open; its regions' new bytes begin at `start`.
  ///   - files: the journal's files, open and locked.
  ///   - lost: new names whose finished files are gone, and are not waited for.
  func replay(
    _ payload: InputFile, from start: Int, onto files: [InPlaceFile], _ place: ModelPlace,
    without lost: Set<String> = [],
    _ work: WorkOptions
  ) throws {
    try copyRegions(payload, from: start, onto: files, work)
    for file in files { try file.sync() }
    try swapFiles(in: place, without: lost)
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
  /// Gives the journal its name and carries it out, which an interruption does not stop any more.
  /// - Throws: what `commit` throws; then what is done while it is decided. Where all that was to be done was to put files
  ///   where nothing was, that is taken back if it can be.
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
    // Its lock is held until here.
    withExtendedLifetime(self) {}
  }
}

extension FingerprintedTensor {
  /// Whether the bytes that `read` gives, piece by piece, have this fingerprint.
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
