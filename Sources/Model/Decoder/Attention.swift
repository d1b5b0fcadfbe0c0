import CCompute

/// Causal self-attention over sequences that lie one behind the other (Vaswani et al., arXiv 1706.03762), in blocks of
/// queries, so that no matrix of length × length is held (Dao et al., arXiv 2205.14135).
struct Attention {
  let config: ModelConfig
  let compute: Compute
  /// Queries at a time.
  static let block = 128

  private var width: Int { config.attentionWidth }
  var scale: Float { 1 / Float(config.headSize).squareRoot() }

  /// One sequence and one head of keys and values; the queries that it serves.
  private func eachHead(
    _ batch: TokenBatch, scratch rowsOfScores: Int,
    _ body: @Sendable (_ tokens: Range<Int>, _ keyValueHead: Int, _ memory: FloatPointer) -> Void
  ) {
    let longest = batch.sequences.map(\.count).max() ?? 0
    let size = rowsOfScores * Self.block * longest
    let memory = Shared(compute.scratch(.attentionScores, size * compute.threads))
    let heads = config.keyValueHeads
    compute.each(batch.sequences.count * heads) { thread, i in
      body(batch.sequences[i / heads], i % heads, memory.pointer + thread * size)
    }
  }

  /// - Parameters:
  ///   - qkv: [tokens, attentionWidth], queries and keys already turned.
  ///   - output: [tokens, queryWidth].
  ///   - logSums: [heads, tokens].
  func forward(_ batch: TokenBatch, _ qkv: FloatPointer, output: FloatPointer, logSums: FloatPointer) {
    let (qkv, output, logSums) = (Shared(qkv), Shared(output), Shared(logSums))
    let (d, group) = (config.headSize, config.heads / config.keyValueHeads)
    eachHead(batch, scratch: 1) { tokens, keyValueHead, scores in
      let keys = qkv.pointer + tokens.lowerBound * width + config.queryWidth + keyValueHead * d
      let values = keys + config.keyValueWidth
      for first in stride(from: 0, to: tokens.count, by: Self.block) {
        let rows = min(Self.block, tokens.count - first)
        let columns = first + rows
        for head in keyValueHead * group..<(keyValueHead + 1) * group {
          let token = tokens.lowerBound + first
          compute.blas.multiply(
            rows, columns, d, .init(data: qkv.pointer + token * width + head * d, stride: width),
            .init(data: keys, stride: width, isTransposed: true), into: scores, stride: columns)
          vp_causal_softmax(scores, logSums.pointer + head * batch.count + token, rows, columns, first, scale)
          compute.blas.multiply(
            rows, d, columns, .init(data: scores, stride: columns), .init(data: values, stride: width),
            into: output.pointer + token * config.queryWidth + head * d, stride: config.queryWidth)
        }
      }
    }
  }

  /// - Parameters:
  ///   - output, logSums: as `forward` left them.
  ///   - dOutput: the gradient of the output.
  ///   - dqkv: gets that of queries, keys and values, still turned.
  func backward(
    _ batch: TokenBatch, _ qkv: FloatPointer, output: FloatPointer, logSums: FloatPointer, dOutput: FloatPointer,
    dqkv: FloatPointer
  ) {
    let (qkv, output, logSums) = (Shared(qkv), Shared(output), Shared(logSums))
    let (dOutput, dqkv) = (Shared(dOutput), Shared(dqkv))
    let (d, group) = (config.headSize, config.heads / config.keyValueHeads)
    eachHead(batch, scratch: 2) { tokens, keyValueHead, memory in
      let key = config.queryWidth + keyValueHead * d
      let keys = qkv.pointer + tokens.lowerBound * width + key
      let values = keys + config.keyValueWidth
      let dKeys = dqkv.pointer + tokens.lowerBound * width + key
      let dValues = dKeys + config.keyValueWidth
      withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.block) { dots in
        let dots = dots.baseAddress!
        // From the end: the last block sees all keys, and so writes what the others add to.
        var isFirst = true
        for first in stride(from: 0, to: tokens.count, by: Self.block).reversed() {
          let rows = min(Self.block, tokens.count - first)
          let columns = first + rows
          let dScores = memory + Self.block * tokens.count
          for head in keyValueHead * group..<(keyValueHead + 1) * group {
            let token = tokens.lowerBound + first
            let query = qkv.pointer + token * width + head * d
            let out = output.pointer + token * config.queryWidth + head * d
            let dOut = dOutput.pointer + token * config.queryWidth + head * d
            let dOutOperand = Blas.Operand(data: dOut, stride: config.queryWidth)
            compute.blas.multiply(
              rows, columns, d, .init(data: query, stride: width),
              .init(data: keys, stride: width, isTransposed: true), into: memory, stride: columns)
            vp_causal_softmax_again(
              memory, logSums.pointer + head * batch.count + token, rows, columns, first, scale)
            compute.blas.multiply(
              rows, columns, d, dOutOperand, .init(data: values, stride: width, isTransposed: true), into: dScores,
              stride: columns)
            vp_dot_rows(dOut, out, dots, rows, d, config.queryWidth, config.queryWidth)
            compute.blas.multiply(
              columns, d, rows, .init(data: memory, stride: columns, isTransposed: true), dOutOperand, into: dValues,
              stride: width, accumulate: !isFirst)
            vp_softmax_backward(memory, dScores, dots, rows, columns, scale)
            compute.blas.multiply(
              rows, d, columns, .init(data: dScores, stride: columns), .init(data: keys, stride: width),
              into: dqkv.pointer + token * width + head * d, stride: width)
            compute.blas.multiply(
              columns, d, rows, .init(data: dScores, stride: columns, isTransposed: true),
              .init(data: query, stride: width), into: dKeys, stride: width, accumulate: !isFirst)
            isFirst = false
          }
        }
      }
    }
  }
}
