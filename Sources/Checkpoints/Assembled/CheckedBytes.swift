import Base
import Synchronization

/// Bytes in a file that are checked against their checksum once, before the first of them are used.
final class CheckedBytes: Sendable {
  let file: InputFile
  let range: Range<Int>
  private let crc: UInt32
  private let isChecked: Mutex<Bool>

  /// - Parameter crc: zero for bytes that were written without a checksum.
  init(_ file: InputFile, _ range: Range<Int>, crc: UInt32) {
    (self.file, self.range, self.crc) = (file, range, crc)
    isChecked = Mutex(crc == 0)
  }

  /// Fills `buffer` with the bytes from `offset` on.
  /// - Throws: `invalid` for damaged bytes; `io`.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try check()
    try file.read(into: buffer, at: range.lowerBound + offset)
  }

  private func check() throws {
    // Another thread that wants the same bytes waits, since it would compute the same.
    try isChecked.withLock { isChecked in
      guard !isChecked else { return }
      let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(min(TensorPiece.size, range.count), 1), alignment: 64)
      defer { buffer.deallocate() }
      var found: UInt32 = 0
      for start in stride(from: range.lowerBound, to: range.upperBound, by: TensorPiece.size) {
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(TensorPiece.size, range.upperBound - start)])
        try file.read(into: piece, at: start)
        found = CRC32.update(found, UnsafeRawBufferPointer(piece))
      }
      guard found == crc else {
        throw VPatchError(
          .invalid, file.path,
          "is damaged: bytes \(range.lowerBound) to \(range.upperBound) do not have the checksum that "
            + "was written with them", remedy: "copy it again, or save it again", detail: .damaged)
      }
      isChecked = true
    }
  }
}
