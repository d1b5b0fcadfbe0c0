import Base
import Checkpoints

/// A journal that is being written, and the finished files that it will rename.
package final class JournalFile: Sendable {
  package let journal: Journal
  private let place: ModelPlace
  private let output: OutputFile
  private let renamed: [OutputFile]
  private let offsets: [Int]

  /// Allocates the disk space for the whole journal.
  /// - Parameter renamed: the files of the journal's renames, synced to disk.
  package init(_ journal: Journal, of place: ModelPlace, renaming renamed: [OutputFile]) throws {
    self.journal = journal
    self.place = place
    self.renamed = renamed
    let head = journal.head()
    output = try OutputFile(path: place.journalPath)
    offsets = journal.payloadOffsets(from: head.count)
    try output.reserve(head.count + journal.payloadBytes)
    try output.write(head, at: 0)
  }

  /// Writes a piece of the new bytes of a region.
  package func write(_ bytes: UnsafeRawBufferPointer, region: Int, at offset: Int) throws {
    try output.write(bytes, at: offsets[region] + offset)
  }

  /// Starts writing a complete region to disk.
  package func beginWriteback(region: Int) {
    output.beginWriteback(offsets[region]..<offsets[region] + journal.regions[region].range.count)
  }

  /// The point of no return: afterwards this process or `vpatch recover` will replay the journal. It stays locked until
  /// this value is released.
  /// - Throws: `refused` where a file that it changes is another one now, or another change of the model started first;
  ///   `io`. The model is unchanged, unless the remedy mentions `vpatch recover`.
  package func commit() throws {
    try output.sync()
    // The names of the finished files become durable before the journal's: a power cut could keep one and lose the
    // others.
    if !renamed.isEmpty { try Directory.syncOrFail(place.folder) }
    try journal.requireTargets(in: place.folder)
    do { try output.rename() } catch let error as VPatchError where error.code == .refused {
      try SafetensorsCheckpoint.refuseUnfinished(place.path)
      throw FileLock.isBeingSwitched(place.path)
    }
    do {
      // Another process may have finished between the check and the rename. From here on none can start.
      try journal.requireTargets(in: place.folder)
      try Directory.syncOrFail(place.folder)
    } catch {
      try withdraw(because: error)
    }
    for file in renamed { file.release() }
  }

  /// Removes the journal. Nothing was changed yet, so that restores the old state.
  private func withdraw(because error: any Error) throws -> Never {
    try place.whileDecided {
      do { try Directory.remove(output.path) } catch {
        // The journal is complete and could not be removed, so its files must stay too.
        for file in renamed { file.release() }
        throw error
      }
    }
    // If the folder loses this removal in a power cut, the journal is back and needs these files.
    do { try Directory.syncOrFail(place.folder) } catch { for file in renamed { file.release() } }
    throw error
  }
}
