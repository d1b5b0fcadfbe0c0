import Apply
import Base
import Checkpoints
import PatchFormat

extension FuzzTargets {
  /// One chunk of the low-rank coder, in both directions. Byte 0 chooses the dtype, 1 and 2 the shape, 3 the rank and the
  /// rounding, 4 whether the rest is a stored chunk, or what one is encoded from and then changed at up to seven places.
  func lowRank(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 40 else { return }
    let dtype = [DType.bf16, .f16, .f32][Int(bytes[0]) % 3]
    let format = dtype.element
    let (rows, columns) = (1 + Int(bytes[1]) % 24, 1 + Int(bytes[2]) % 90)
    let rank = 1 + Int(bytes[3] & 15)
    let data = UnsafeRawBufferPointer(rebasing: bytes[40...])
    let info = TensorInfo(
      name: "w", dtype: dtype, shape: [rows, columns], byteCount: rows * columns * format.width)
    let factorType = [DType.f32, .bf16, .f16][Int(bytes[5]) % 3]
    func factor(_ count: Int, from start: Int) -> Factors.Factor {
      let length = count * factorType.element.width
      return Factors.Factor(
        info: TensorInfo(name: "f", dtype: factorType, shape: [count], byteCount: length),
        bytes: (0..<length).map { i in
          // Mostly of ordinary size: the highest byte of an element decides.
          let byte = data[(start + i) % data.count]
          let isHighest = i % factorType.element.width == factorType.element.width - 1
          return isHighest && byte & 7 != 0 ? 0x3A | byte & 0x81 : byte
        })
    }
    let scale = Double(bitPattern: UInt64(bytes[6]) << 48 | 0x3F00_0000_0000_0000)
    let rule = LowRank(
      rank: rank, scale: scale, roundsChange: bytes[3] & 16 != 0, u: .init(tensor: 0, line: rank, rank: 1),
      v: .init(tensor: 1, line: 1, rank: columns))
    let factors = Factors(
      rule, of: info, u: factor(rows * rank, from: 0), v: factor(rank * columns, from: data.count / 2))
    let first = Int(bytes[7]) % (rows * columns)
    let elements = first..<min(rows * columns, first + 1 + (Int(bytes[8]) | Int(bytes[9]) << 8))
    let prediction = ChunkCoder.Prediction(factors, elements: elements)
    let count = elements.count * format.width
    let sides = (0..<4).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16) }
    defer { for side in sides { side.deallocate() } }
    let (base, target, output, other) = (sides[0], sides[1], sides[2], sides[3])
    for i in base.indices { base[i] = data[(i * 3 + i >> 7) % data.count] }
    prediction.predict(from: UnsafeRawBufferPointer(base), into: target, kernel: .portable)
    // A few elements are not those that the factors predict.
    for i in stride(from: 0, to: count, by: format.width) where data[i % data.count] & 15 == 0 { target[i] ^= 1 }
    let (from, to) = (UnsafeRawBufferPointer(base), UnsafeRawBufferPointer(target))
    var stored = [5] + Array(data)
    if bytes[4] & 0x80 == 0 {
      stored = ChunkCoder.encodeLowRank(base: from, target: to, format: format, rowLength: columns, prediction)
      for change in 0..<Int(bytes[4] & 7) {
        let at = (Int(bytes[10 + 3 * change]) | Int(bytes[11 + 3 * change]) << 8) % stored.count
        stored[at] ^= bytes[12 + 3 * change]
      }
    }
    let isWhole = bytes[4] & 0x87 == 0
    stored.withUnsafeBytes { stored in
      for (direction, input, expected) in [(Direction.forward, from, to), (.backward, to, from)] {
        var results: [Bool] = []
        for (kernel, result) in [(Kernel.portable, output), (.best, other)] {
          var isDone = false
          expectError {
            try ChunkCoder.decodeDifference(
              stored, from: input, into: result, format: format, direction: direction, prediction, kernel: kernel)
            isDone = true
            accept()
          }
          results.append(isDone)
        }
        precondition(
          results[0] == results[1] && (!results[0] || output.elementsEqual(other)), "two kernels decode differently")
        precondition(
          !isWhole || (results[0] && output.elementsEqual(expected)), "a chunk does not decode to what was encoded")
      }
    }
  }

  /// `adapter_config.json`.
  func adapter(_ bytes: UnsafeRawBufferPointer) {
    expectVPatchError {
      let config = try PEFTConfig(JSON.parse(Array(bytes), file: "fuzz"), "fuzz")
      _ = config.scale(of: "model.layers.0.self_attn.q_proj")
      accept()
    }
  }
}
