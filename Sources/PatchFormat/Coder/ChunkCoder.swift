import Base
import Checkpoints

/// Coders of chunks. The number is the first byte of the stored chunk (spec, section 5).
package enum Coder: UInt8, Sendable, CaseIterable {
  case zero = 0
  case raw = 1
  case planes = 2
  case ulp = 3
  case sparse = 4
  case lowRank = 5
}

/// The contents of a chunk: a difference, or bytes that only one side has.
package enum ChunkRole: String, Sendable {
  case difference = "d"
  case base = "b"
  case target = "t"
  /// Bytes of an adapter's tensor.
  case adapter = "a"
}

/// Encodes and decodes chunks. Buffers are aligned to their elements. Both sides of a difference have the same length.
package enum ChunkCoder {
  /// Maximum decoded size of a chunk, in bytes.
  package static let maximumDecoded = 1 << 22
  /// Maximum number of bytes by which a stored chunk may exceed its decoded size.
  package static let maximumOverhead = 16
  private static let windowLog: Int32 = 23

  // MARK: Encoding

  /// Returns the smallest encoding among those that suit the change.
  /// - Parameters:
  ///   - rowLength: elements per row of the tensor; nil without rows.
  ///   - withContext: whether the decoder will have exactly this other side. If only the differences are reliable,
  ///     coders that use the other side as context are excluded.
  package static func encodeDifference(
    base: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, format: ElementFormat, rowLength: Int?,
    withContext: Bool = true
  ) -> [UInt8] {
    func encode<Word: PlaneWord>(_: Word.Type) -> [UInt8] {
      encodeDifference(base.bound(Word.self), target.bound(Word.self), format, rowLength, withContext)
    }
    return switch format.width {
    case 1: encode(UInt8.self)
    case 2: encode(UInt16.self)
    case 4: encode(UInt32.self)
    default: encode(UInt64.self)
    }
  }

  /// Encodes a difference with the low-rank coder.
  package static func encodeLowRank(
    base: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, format: ElementFormat, rowLength: Int?,
    _ prediction: Prediction, kernel: Kernel = .chosen
  ) -> [UInt8] {
    [Coder.lowRank.rawValue]
      + LowRankCoder.encode(base: base, target: target, format: format, rowLength: rowLength, prediction, kernel)
  }

  /// Bytes of a chunk of the low-rank coder that predicts everything and leaves no choice: its coder, the length of the
  /// choices, and the coder of the difference.
  package static let lowRankOverhead = 6

  /// Bytes of the choices in a chunk of the low-rank coder.
  package static func choiceBytes(_ lowRank: [UInt8]) -> Int {
    lowRank.withUnsafeBytes { Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 1, as: UInt32.self))) }
  }

  /// Whether decoding a stored chunk depends on the other side's values.
  package static func needsContext(_ stored: UnsafeRawBufferPointer) -> Bool {
    [Coder.ulp.rawValue, Coder.lowRank.rawValue].contains(stored.first)
  }

  private static func encodeDifference<Word: PlaneWord>(
    _ base: UnsafeBufferPointer<Word>, _ target: UnsafeBufferPointer<Word>, _ format: ElementFormat, _ rowLength: Int?,
    _ withContext: Bool
  ) -> [UInt8] {
    let count = base.count
    let changed = (0..<count).reduce(into: 0) { sum, i in sum &+= base[i] == target[i] ? 0 : 1 }
    guard changed > 0 else { return [Coder.zero.rawValue] }
    let differences = Differences<Word>(isFloat: format.isFloat)
    var candidates: [[UInt8]] = []
    if withContext, format.hasUlpCoder, count >= 64 {
      let data: [UInt8]
      if let base = base as? UnsafeBufferPointer<UInt16>, let target = target as? UnsafeBufferPointer<UInt16> {
        data = UlpEncoder.encode(base: base, target: target, format: format, rowLength: rowLength)
      } else if let base = base as? UnsafeBufferPointer<UInt32>, let target = target as? UnsafeBufferPointer<UInt32> {
        data = UlpEncoder.encode(base: base, target: target, format: format, rowLength: rowLength)
      } else if let base = base as? UnsafeBufferPointer<UInt8>, let target = target as? UnsafeBufferPointer<UInt8> {
        data = UlpEncoder.encode(base: base, target: target, format: format, rowLength: rowLength)
      } else {
        preconditionFailure("the ulp coder has no elements of \(Word.bitWidth) bits")
      }
      candidates.append([Coder.ulp.rawValue] + data)
    }
    if changed * 8 < count || count < 64 {
      let data = SparseCoder.encode(base: base, target: target, differences)
      candidates.append([Coder.sparse.rawValue] + compress(data))
    }
    if candidates.allSatisfy({ $0.count > base.count * format.width / 2 }) {
      let planes = Planes.split(count, Word.self) { Differences.zigzag(differences.difference(target[$0], base[$0])) }
      candidates.append([Coder.planes.rawValue] + compress(planes))
    }
    let best = candidates.min { $0.count < $1.count }!
    guard best.count > count * format.width else { return best }
    let raw = UnsafeMutableBufferPointer<Word>.allocate(capacity: count)
    defer { raw.deallocate() }
    for i in 0..<count { raw[i] = differences.difference(target[i], base[i]).littleEndian }
    return [Coder.raw.rawValue] + UnsafeRawBufferPointer(raw)
  }

  /// Encodes the bytes of one side, without the other side.
  package static func encodeContent(_ bytes: UnsafeRawBufferPointer, format: ElementFormat) -> [UInt8] {
    let planes: [UInt8] =
      switch format.width {
      case 1: Array(bytes)
      case 2: split(bytes, UInt16.self)
      case 4: split(bytes, UInt32.self)
      default: split(bytes, UInt64.self)
      }
    let data = compress(planes)
    return data.count < bytes.count ? [Coder.planes.rawValue] + data : [Coder.raw.rawValue] + bytes
  }

  private static func split<Word: PlaneWord>(_ bytes: UnsafeRawBufferPointer, _: Word.Type) -> [UInt8] {
    let elements = bytes.bound(Word.self)
    return Planes.split(elements.count, Word.self) { Word(littleEndian: elements[$0]) }
  }

  private static func compress(_ bytes: [UInt8]) -> [UInt8] {
    bytes.withUnsafeBytes { Zstd.compress($0, level: bytes.count > 1 << 16 ? 3 : 19, windowLog: windowLog) }
  }

  // MARK: Decoding

  /// Decodes a difference: rebuilds `output` from the other side.
  /// - Parameter prediction: of the low-rank coder; nil for a tensor without factors.
  /// - Throws: `ChunkError`.
  package static func decodeDifference(
    _ stored: UnsafeRawBufferPointer, from input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
    format: ElementFormat, direction: Direction, _ prediction: Prediction? = nil, kernel: Kernel = .chosen
  ) throws {
    precondition(input.count == output.count)
    if stored.first == Coder.lowRank.rawValue {
      guard let prediction else { throw ChunkError("uses the low-rank coder for a tensor without factors") }
      return try LowRankCoder.decode(
        UnsafeRawBufferPointer(rebasing: stored[1...]), from: input, into: output, format: format,
        direction: direction, prediction, kernel)
    }
    switch format.width {
    case 1: try decodeDifference(stored, input, output, UInt8.self, format, direction, kernel)
    case 2: try decodeDifference(stored, input, output, UInt16.self, format, direction, kernel)
    case 4: try decodeDifference(stored, input, output, UInt32.self, format, direction, kernel)
    default: try decodeDifference(stored, input, output, UInt64.self, format, direction, kernel)
    }
  }

  private static func decodeDifference<Word: PlaneWord>(
    _ stored: UnsafeRawBufferPointer, _ inputBytes: UnsafeRawBufferPointer,
    _ outputBytes: UnsafeMutableRawBufferPointer, _: Word.Type, _ format: ElementFormat, _ direction: Direction,
    _ kernel: Kernel
  ) throws {
    let (coder, data) = try open(stored)
    let input = inputBytes.bound(Word.self)
    let output = outputBytes.bindMemory(to: Word.self)
    let count = input.count
    let differences = Differences<Word>(isFloat: format.isFloat)
    func apply(_ value: Word, _ difference: Word) -> Word {
      direction == .forward ? differences.target(value, difference) : differences.base(value, difference)
    }
    switch coder {
    case .zero:
      guard data.isEmpty else { throw ChunkError("has data left over") }
      outputBytes.copyMemory(from: inputBytes)
    case .raw:
      guard data.count == inputBytes.count else { throw ChunkError("has data of the wrong length") }
      for i in 0..<count {
        let difference = data.loadUnaligned(fromByteOffset: i * MemoryLayout<Word>.size, as: Word.self)
        output[i] = apply(input[i], Word(littleEndian: difference))
      }
    case .planes:
      try decompress(data, count: inputBytes.count).withUnsafeBytes { planes in
        for i in 0..<count {
          output[i] = apply(input[i], Differences.unzigzag(Planes.join(planes, i, of: count, Word.self)))
        }
      }
    case .sparse:
      let limit = 4 + count * (5 + format.width)
      let bytes = try decompress(data, count: Zstd.contentSize(data, limit: limit))
      outputBytes.copyMemory(from: inputBytes)
      try SparseCoder.decode(bytes, count: count, Word.self) { output[$0] = apply(input[$0], $1) }
    case .lowRank: preconditionFailure("decoded above")
    case .ulp:
      guard format.hasUlpCoder else { throw ChunkError("uses the ulp coder for a dtype that does not support it") }
      switch format.width {
      case 1: try decodeUlp(data, inputBytes, outputBytes, UInt8.self, format, direction, kernel)
      case 2: try decodeUlp(data, inputBytes, outputBytes, UInt16.self, format, direction, kernel)
      default: try decodeUlp(data, inputBytes, outputBytes, UInt32.self, format, direction, kernel)
      }
    }
  }

  private static func decodeUlp<Word: UlpWord>(
    _ data: UnsafeRawBufferPointer, _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer,
    _: Word.Type, _ format: ElementFormat, _ direction: Direction, _ kernel: Kernel
  ) throws {
    let decoder = try UlpDecoder<Word>(data, count: input.count / format.width, format: format)
    switch direction {
    case .forward:
      try decoder.decode(base: input.bound(Word.self), into: output.bindMemory(to: Word.self), kernel: kernel)
    case .backward:
      try decoder.decodeBackward(target: input.bound(Word.self), into: output.bindMemory(to: Word.self), kernel: kernel)
    }
  }

  /// Decodes the bytes of one side.
  package static func decodeContent(
    _ stored: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, format: ElementFormat
  ) throws {
    let (coder, data) = try open(stored)
    switch coder {
    case .raw:
      guard data.count == output.count else { throw ChunkError("has data of the wrong length") }
      output.copyMemory(from: data)
    case .planes:
      try decompress(data, count: output.count).withUnsafeBytes { planes in
        switch format.width {
        case 1: output.copyMemory(from: planes)
        case 2: join(planes, output.bindMemory(to: UInt16.self))
        case 4: join(planes, output.bindMemory(to: UInt32.self))
        default: join(planes, output.bindMemory(to: UInt64.self))
        }
      }
    case .zero, .ulp, .sparse, .lowRank: throw ChunkError("uses a coder of differences for the bytes of one side")
    }
  }

  private static func join<Word: PlaneWord>(
    _ planes: UnsafeRawBufferPointer, _ output: UnsafeMutableBufferPointer<Word>
  ) {
    for i in 0..<output.count { output[i] = Planes.join(planes, i, of: output.count, Word.self).littleEndian }
  }

  private static func open(_ stored: UnsafeRawBufferPointer) throws(ChunkError) -> (Coder, UnsafeRawBufferPointer) {
    guard let first = stored.first, let coder = Coder(rawValue: first) else {
      throw ChunkError("is empty or uses an unknown coder")
    }
    return (coder, UnsafeRawBufferPointer(rebasing: stored[1...]))
  }

  private static func decompress(_ data: UnsafeRawBufferPointer, count: Int) throws -> [UInt8] {
    do {
      return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        try Zstd.decompress(data, into: UnsafeMutableRawBufferPointer(buffer), windowLog: windowLog)
        initialized = count
      }
    } catch let failure as Zstd.Failure {
      throw ChunkError(failure.reason)
    }
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func bound<T>(_: T.Type) -> UnsafeBufferPointer<T> { bindMemory(to: T.self) }
}
