import Base
import CZlib

/// Decompresses gzip, piece by piece.
final class Inflater {
  private let path: String
  private var stream = z_stream()
  private var isAtEnd = true
  private var out = [UInt8](repeating: 0, count: 1 << 20)

  init(path: String) throws {
    self.path = path
    // 16: with gzip's header.
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw VPatchError(.io, path, "cannot be decompressed: not enough memory")
    }
  }

  deinit { inflateEnd(&stream) }

  /// Calls `body` with the decompressed piece. Concatenated gzip files are read as one, as in gunzip.
  /// - Throws: `invalid` for anything but gzip.
  func add(_ piece: [UInt8], _ body: ([UInt8]) throws -> Void) throws {
    var piece = piece
    try piece.withUnsafeMutableBufferPointer { input in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      while stream.avail_in > 0 {
        if isAtEnd, stream.total_in > 0 { inflateReset(&stream) }
        isAtEnd = false
        let count = out.count
        let (code, made) = out.withUnsafeMutableBufferPointer { output in
          stream.next_out = output.baseAddress
          stream.avail_out = UInt32(count)
          return (inflate(&stream, Z_NO_FLUSH), count - Int(stream.avail_out))
        }
        guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
          throw VPatchError(.invalid, path, "is not valid gzip", remedy: "unpack it with gunzip to see the error")
        }
        if made > 0 { try body(Array(out[..<made])) }
        isAtEnd = code == Z_STREAM_END
      }
    }
  }

  /// - Throws: `invalid` if the end is missing.
  func end() throws {
    guard isAtEnd else { throw VPatchError(.invalid, path, "is cut short: the end of its gzip is missing") }
  }
}
