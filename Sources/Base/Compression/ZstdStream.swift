import CZstd

/// Compresses bytes of a known number as one zstd frame, piece by piece, in constant memory.
package final class ZstdCompressor {
  private let context: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer

  /// - Parameters:
  ///   - level: compression level, 1 (fast) to 19 (small).
  ///   - contentSize: number of bytes that will be added.
  package init(level: Int32, contentSize: Int) {
    guard let context = ZSTD_createCCtx() else { preconditionFailure("zstd cannot allocate") }
    self.context = context
    buffer = .allocate(byteCount: ZSTD_CStreamOutSize(), alignment: 64)
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
    ZSTD_CCtx_setPledgedSrcSize(context, UInt64(contentSize))
  }

  deinit {
    ZSTD_freeCCtx(context)
    buffer.deallocate()
  }

  /// Compresses more bytes.
  /// - Parameter write: gets parts of the frame in order; each is valid only during the call.
  package func add(_ bytes: UnsafeRawBufferPointer, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
    try step(bytes, ZSTD_e_continue, write)
  }

  /// Writes the rest of the frame.
  package func finish(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
    try step(UnsafeRawBufferPointer(start: nil, count: 0), ZSTD_e_end, write)
  }

  private func step(
    _ bytes: UnsafeRawBufferPointer, _ end: ZSTD_EndDirective, _ write: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    while true {
      var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
      let left = ZSTD_compressStream2(context, &target, &source, end)
      precondition(ZSTD_isError(left) == 0, "zstd compresses as many bytes as were announced")
      if target.pos > 0 { try write(UnsafeRawBufferPointer(rebasing: buffer[..<target.pos])) }
      if end == ZSTD_e_end ? left == 0 : source.pos == source.size { return }
    }
  }
}

/// Decodes one zstd frame of known content size from front to back, in constant memory.
package final class ZstdDecompressor {
  /// Reads stored bytes from an offset of the frame on.
  package typealias Read = (_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) throws -> Void

  /// Number of content bytes decoded so far.
  package private(set) var position = 0
  private let context: OpaquePointer
  private let input: UnsafeMutableRawBufferPointer
  private let storedSize: Int
  private let contentSize: Int
  private let windowLog: Int32
  private let readStored: Read
  /// Stored bytes that were read into `input`, and of these what is not decoded yet.
  private var fetched = 0
  private var pending = UnsafeRawBufferPointer(start: nil, count: 0)
  private var isFinished = false

  /// - Parameters:
  ///   - storedSize: length of the frame in bytes.
  ///   - contentSize: number of bytes that it must decode to.
  ///   - windowLog: log2 of the largest window to accept, which bounds the memory.
  /// - Throws: `Zstd.Failure` for what is no such frame.
  package init(storedSize: Int, contentSize: Int, windowLog: Int32, read: @escaping Read) throws {
    self.storedSize = storedSize
    self.contentSize = contentSize
    self.windowLog = windowLog
    readStored = read
    let header = UnsafeMutableRawBufferPointer.allocate(byteCount: min(18, storedSize), alignment: 8)
    defer { header.deallocate() }
    try read(header, 0)
    guard header.count > 4, header.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) else {
      throw Zstd.Failure(reason: "is not a zstd frame")
    }
    switch ZSTD_getFrameContentSize(header.baseAddress, header.count) {
    case UInt64.max - 1: throw Zstd.Failure(reason: "is not a zstd frame")
    case UInt64.max: break  // The header does not say. The size is checked at the end.
    case let size where size != UInt64(contentSize):
      throw Zstd.Failure(reason: "is a zstd frame of \(size) bytes, not of \(contentSize)")
    default: break
    }
    guard ZSTD_getDictID_fromFrame(header.baseAddress, header.count) == 0 else {
      throw Zstd.Failure(reason: "is a zstd frame that needs a dictionary")
    }
    guard let context = ZSTD_createDCtx() else { preconditionFailure("zstd cannot allocate") }
    self.context = context
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLog)
    input = .allocate(byteCount: ZSTD_DStreamInSize(), alignment: 64)
  }

  deinit {
    ZSTD_freeDCtx(context)
    input.deallocate()
  }

  /// Decodes as many bytes as the buffer holds. With the last byte of the content it checks that the frame ends there.
  /// - Throws: `Zstd.Failure` for a damaged frame, one of another size, or one with bytes behind it.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws {
    precondition(buffer.count <= contentSize - position)
    guard try decode(into: buffer) == buffer.count else {
      throw Zstd.Failure(reason: "is a zstd frame of fewer than \(contentSize) bytes", isDamage: true)
    }
    position += buffer.count
    if position == contentSize { try requireEnd() }
  }

  private func requireEnd() throws {
    try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { extra in
      guard try isFinished || decode(into: extra) == 0 else {
        throw Zstd.Failure(reason: "is a zstd frame of more than \(contentSize) bytes")
      }
    }
    guard pending.isEmpty, fetched == storedSize else {
      throw Zstd.Failure(reason: "is a zstd frame with other bytes behind it")
    }
  }

  /// - Returns: the number of bytes decoded: fewer than the buffer holds where the frame ends.
  private func decode(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
    while target.pos < target.size, !isFinished {
      if pending.isEmpty, fetched < storedSize {
        let part = UnsafeMutableRawBufferPointer(rebasing: input[..<min(input.count, storedSize - fetched)])
        try readStored(part, fetched)
        fetched += part.count
        pending = UnsafeRawBufferPointer(part)
      }
      var source = ZSTD_inBuffer(src: pending.baseAddress, size: pending.count, pos: 0)
      let before = target.pos
      let left = ZSTD_decompressStream(context, &target, &source)
      guard ZSTD_isError(left) == 0 else {
        guard ZSTD_getErrorCode(left) != ZSTD_error_frameParameter_windowTooLarge else {
          throw Zstd.Failure(reason: "is a zstd frame whose window is larger than \(1 << windowLog) bytes")
        }
        let name = String(cString: ZSTD_getErrorName(left))
        throw Zstd.Failure(reason: "is a damaged zstd frame (\(name))", isDamage: true)
      }
      pending = UnsafeRawBufferPointer(rebasing: pending[source.pos...])
      isFinished = left == 0
      if source.pos == 0, target.pos == before, pending.isEmpty, fetched == storedSize, !isFinished {
        throw Zstd.Failure(reason: "is a zstd frame that is cut short", isDamage: true)
      }
    }
    return target.pos
  }
}
