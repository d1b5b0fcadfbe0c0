import Base
import Checkpoints

/// A journal that is being written, and the finished files that it will give their names.
package final class JournalFile: Sendable {
  package let journal: Journal
  private let place: ModelPlace
  private let output: OutputFile
  private let renamed: [OutputFile]
  private let offsets: [Int]

  /// Takes the space that the whole of it needs.
  /// - Parameter renamed: the files of the journal's renames, durable.
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

  /// To be called when a region is complete.
  package func beginWriteback(region: Int) {
    output.beginWriteback(offsets[region]..<offsets[region] + journal.regions[region].range.count)
  }

  /// The point of no return: when this has come back, the journal will be carried out, by this process or by
  /// `vpatch recover`. It stays locked until this value goes.
  /// - Throws: `refused` where something that it speaks of is another file now, or another change of the model was
  ///   quicker; `io`. The model is as it was, unless the remedy speaks of `vpatch recover`.
  package func commit() throws {
    try output.sync()
    // The names of what the journal speaks of before the journal's own: a folder may keep one and lose the others.
    if !renamed.isEmpty { try Directory.syncOrFail(place.folder) }
    try journal.requireTargets(in: place.folder)
    do { try output.rename() } catch let error as VPatchError where error.code == .refused {
      try Checkpoint.refuseUnfinished(place.path)
      throw FileLock.isBeingSwitched(place.path)
    }
    do {
      // Another process may have come to its end between the look and the name; from here on none begins.
      try journal.requireTargets(in: place.folder)
      try Directory.syncOrFail(place.folder)
    } catch {
      try withdraw(because: error)
    }
    for file in renamed { file.release() }
  }

  /// Nothing was touched yet: without the journal all is as before.
  private func withdraw(because error: any Error) throws -> Never {
    try place.whileDecided {
      do { try Directory.remove(output.path) } catch {
        // It is whole and stays, so what it speaks of has to stay too.
        for file in renamed { file.release() }
        throw error
      }
    }
    // Should the folder forget the removal, the journal is back after a power cut, and needs them.
    do { try Directory.syncOrFail(place.folder) } catch { for file in renamed { file.release() } }
    throw error
  }
}
