import Base
import Checkpoints
import Dispatch
import Synchronization

/// Proves that the bytes that are encoded of a tensor are those that were fingerprinted before.
///
/// An input may change between its two reads. So the bytes are hashed again while they are read for encoding, piece by
/// piece from front to back. Several threads deliver pieces; each waits until the pieces before its own were hashed.
/// Pieces are started in order, so no thread waits forever.
final class ReadingProof: Sendable {
  private let expected: FingerprintedTensor
  private let subject: String
  /// Used only by the thread whose semaphore it is.
  private nonisolated(unsafe) let hasher: SHA256Hasher
  private let state = Mutex(State())

  private struct State {
    var position = 0
    /// The error of the piece that failed.
    var failure: (any Error)?
    /// The waiting threads, by the offsets of their pieces.
    var waiting: [Int: DispatchSemaphore] = [:]
  }

  /// - Parameter subject: the source of the bytes, for the message.
  init(_ expected: FingerprintedTensor, subject: String) {
    self.expected = expected
    self.subject = subject
    hasher = expected.info.fingerprintHasher()
  }

  /// Waits for the pieces before this one, and hashes it.
  /// - Throws: `io` with the last piece, if the bytes differ from those that were fingerprinted.
  package func pass(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    let semaphore = state.withLock { state -> DispatchSemaphore? in
      if state.failure != nil || state.position == offset { return nil }
      let semaphore = DispatchSemaphore(value: 0)
      state.waiting[offset] = semaphore
      return semaphore
    }
    semaphore?.wait()
    // That of the failed piece: a piece that waited for it may be an earlier one, whose error is the one reported.
    if let failure = state.withLock({ $0.failure }) { throw failure }
    hasher.update(bytes)
    let end = offset + bytes.count
    let isLast = end == expected.info.byteCount
    let digest = isLast ? hasher.finalize() : nil
    state.withLock { state in
      state.position = end
      state.waiting.removeValue(forKey: end)?.signal()
    }
    guard let digest, digest != expected.fingerprint else { return }
    throw VPatchError(
      .io, subject, "was changed while it was read: the tensor \"\(expected.info.name.printable)\" differs",
      remedy: "run the command again when nothing writes to it")
  }

  /// No further piece is hashed, since one failed. Releases the waiting threads.
  package func abandon(_ error: any Error) {
    state.withLock { state in
      if state.failure == nil { state.failure = error }
      for semaphore in state.waiting.values { semaphore.signal() }
      state.waiting = [:]
    }
  }
}
