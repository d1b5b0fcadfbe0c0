import CZstd

/// zstd frames (RFC 8878) as the patch format allows them: one frame, known content size, limited window.
package enum Zstd {
  package struct Failure: Error, Equatable, Sendable {
    package let reason: String

    /// The bytes are not those of a frame that zstd wrote.
    package let isDamage: Bool

    package init(reason: String, isDamage: Bool = false) {
      self.reason = reason
      self.isDamage = isDamage
    }
  }

  /// - Parameter level: compression level, 1 (fast) to 19 (small).
  package static func compress(_ bytes: UnsafeRawBufferPointer, level: Int32, windowLog: Int32) -> [UInt8] {
    guard let context = ZSTD_createCCtx() else { preconditionFailure("zstd cannot allocate") }
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
    // The smallest window that holds all of the input, so that a reader need not reserve more.
    var log: Int32 = 10
    while log < windowLog, 1 << log < bytes.count { log += 1 }
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, log)
    let bound = ZSTD_compressBound(bytes.count)
    return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      let n = ZSTD_compress2(context, buffer.baseAddress, bound, bytes.baseAddress, bytes.count)
      precondition(ZSTD_isError(n) == 0, "zstd refused to compress")
      count = n
    }
  }

  /// The content size in bytes that the frame's header declares.
  /// - Throws: `Failure` where it is unknown or larger than `limit`.
  package static func contentSize(_ frame: UnsafeRawBufferPointer, limit: Int) throws -> Int {
    let size = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
    guard size < contentSizeError, size <= UInt64(limit) else {
      throw Failure(reason: "is not a zstd frame, or declares no size or too large a size")
    }
    // A block of 4 bytes decodes to at most 128 KiB, so the frame's length limits its content size.
    guard size <= UInt64(frame.count) << 15 else {
      throw Failure(reason: "is a zstd frame that declares a larger size than it can hold")
    }
    return Int(size)
  }

  /// The window size in bytes that a frame needs (RFC 8878, section 3.1.1.1). zstd must have accepted the frame's
  /// header.
  private static func windowSize(_ frame: UnsafeRawBufferPointer) -> UInt64 {
    let isSingleSegment = frame[4] & 0x20 != 0
    guard !isSingleSegment else { return ZSTD_getFrameContentSize(frame.baseAddress, frame.count) }
    let base = UInt64(1) << (10 + UInt64(frame[5] >> 3))
    return base + base / 8 * UInt64(frame[5] & 7)
  }

  /// Decodes `frame`, which must be exactly one frame with exactly `output.count` bytes of content.
  package static func decompress(
    _ frame: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, windowLog: Int32
  ) throws {
    let size = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
    guard size != contentSizeError else { throw Failure(reason: "is not a zstd frame") }
    guard size != contentSizeUnknown, size == UInt64(output.count) else {
      throw Failure(reason: "is a zstd frame whose length is not the expected one")
    }
    guard ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count else {
      throw Failure(reason: "is a zstd frame with missing or extra bytes")
    }
    guard ZSTD_getDictID_fromFrame(frame.baseAddress, frame.count) == 0 else {
      throw Failure(reason: "is a zstd frame that needs a dictionary")
    }
    guard windowSize(frame) <= 1 << UInt64(windowLog) else {
      throw Failure(reason: "is a zstd frame whose window is larger than allowed")
    }
    guard let context = ZSTD_createDCtx() else { throw Failure(reason: "zstd cannot allocate") }
    defer { ZSTD_freeDCtx(context) }
    // This limits what zstd allocates. The check above is needed too: a whole frame is decoded without a window.
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLog)
    var source = ZSTD_inBuffer(src: frame.baseAddress, size: frame.count, pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    while true {
      let before = (source.pos, target.pos)
      let n = ZSTD_decompressStream(context, &target, &source)
      guard ZSTD_isError(n) == 0 else {
        throw Failure(reason: "is a damaged zstd frame (\(String(cString: ZSTD_getErrorName(n))))", isDamage: true)
      }
      if n == 0 { break }
      guard before != (source.pos, target.pos) else { throw Failure(reason: "is a damaged zstd frame", isDamage: true) }
    }
    guard target.pos == output.count, source.pos == frame.count else {
      throw Failure(reason: "is a zstd frame whose length is not the expected one")
    }
  }
}

// zstd.h defines these with a C cast, which Swift cannot import.
private let contentSizeUnknown = UInt64.max
private let contentSizeError = UInt64.max - 1
