import Base
import Synchronization

/// Decoders of a delta's tensors that are between two reads.
///
/// A decoder only goes forwards, and several threads read pieces of one tensor, each with a source of its own. A source
/// continues with the decoder that is nearest before its piece.
final class DeltaDecoders: Sendable {
  /// A decoder that no thread is using.
  private struct Idle: @unchecked Sendable {
    let tensor: Int
    let decoder: ZstdDecompressor
  }

  private let idle = Mutex<[Idle]>([])
  /// How many are kept, which bounds the memory: each has a window of 512 KiB as slime and ModelExpress write it.
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// The decoder of a tensor that is nearest before an offset of its content; nil where there is none.
  func take(_ tensor: Int, before offset: Int) -> ZstdDecompressor? {
    idle.withLock { idle -> Idle? in
      let candidates = idle.indices.filter { idle[$0].tensor == tensor && idle[$0].decoder.position <= offset }
      guard let nearest = candidates.max(by: { idle[$0].decoder.position < idle[$1].decoder.position }) else {
        return nil
      }
      return idle.remove(at: nearest)
    }?.decoder
  }

  /// Keeps a decoder for the next read; the one that was unused for longest gives way.
  func keep(_ decoder: ZstdDecompressor, of tensor: Int) {
    let idle = Idle(tensor: tensor, decoder: decoder)
    self.idle.withLock {
      $0.append(idle)
      if $0.count > limit { $0.removeFirst() }
    }
  }
}
