import Base
import Checkpoints
import Dispatch
import Synchronization

/// Proves that what is encoded of one side of a tensor is what was fingerprinted before.
///
/// An input may change between its two readings. So the bytes are hashed again as they are read to be encoded, piece by
/// piece from front to back. Several threads bring pieces; each waits at this turnstile until those before have passed.
/// They have all been started, since pieces are handed out in their order, so no wait is for ever.
final class ReadingProof: Sendable {
  private let expected: FingerprintedTensor
  private let subject: String
  /// Touched only by the thread whose semaphore it is.
  private nonisolated(unsafe) let hasher: SHA256Hasher
  private let state = Mutex(State())

  private struct State {
    var position = 0
    var isAbandoned = false
    /// Those who wait, by where their pieces begin.
    var waiting: [Int: DispatchSemaphore] = [:]
  }

  /// Why a piece does not pass where one before it failed, whose error is the one that is told.
  struct Abandoned: Error {}

  /// - Parameter subject: where the bytes come from, for the message.
  init(_ expected: FingerprintedTensor, subject: String) {
    self.expected = expected
    self.subject = subject
    hasher = expected.info.fingerprintHasher()
  }

  /// Waits for the pieces before this one, and hashes it.
  /// - Throws: `io` with the last piece, if the bytes are others than those that were fingerprinted.
  package func pass(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    let semaphore = state.withLock { state -> DispatchSemaphore? in
      if state.isAbandoned || state.position == offset { return nil }
      let semaphore = DispatchSemaphore(value: 0)
      state.waiting[offset] = semaphore
      return semaphore
    }
    semaphore?.wait()
    guard state.withLock({ !$0.isAbandoned }) else { throw Abandoned() }
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
      .io, subject, "was changed while it was read: the tensor \"\(expected.info.name.printable)\" is not what it was",
      remedy: "run the command again when nothing writes to it")
  }

  /// No further piece passes: one has failed. Lets those go that wait.
  package func abandon() {
    state.withLock { state in
      state.isAbandoned = true
      for semaphore in state.waiting.values { semaphore.signal() }
      state.waiting = [:]
    }
  }
}
