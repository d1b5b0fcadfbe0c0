/// The bytes of a tensor that was decoded or merged, freed with the object.
final class HeldBytes: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer

  init(_ count: Int) { bytes = .allocate(byteCount: max(count, 64), alignment: 64) }

  deinit { bytes.deallocate() }
}
