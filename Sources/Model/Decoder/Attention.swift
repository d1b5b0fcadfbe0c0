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
    _ batch: TokenBatch, scratch matrices: Int,
    _ body: @Sendable (_ tokens: Range<Int>, _ keyValueHead: Int, _ scores: FloatPointer, _ products: Products) -> Void
  ) {
    let longest = batch.sequences.map(\.count).max() ?? 0
    let memory = ThreadMemory(self, scores: matrices * Self.block * longest, rows: Self.block, longest)
    let heads = config.keyValueHeads
    compute.each(batch.sequences.count * heads) { thread, i in
      body(batch.sequences[i / heads], i % heads, memory.scores(thread), memory.products(thread))
    }
  }

  /// Scratch memory of each thread: for scores, and for the products.
  struct ThreadMemory: @unchecked Sendable {
    private let start: FloatPointer
    private let scores: Int
    private let scratch: Int
    private let compute: Compute

    /// - Parameters:
    ///   - rows: of queries at a time.
    ///   - longest: most keys that they see.
    init(_ attention: Attention, scores: Int, rows: Int, _ longest: Int) {
      let (compute, d) = (attention.compute, attention.config.headSize)
      self.compute = compute
      self.scores = (scores + 15) / 16 * 16
      // Scores, what they weigh, and their gradients' products with queries: the three shapes that occur.
      let needed = [(rows, longest, d), (rows, d, longest), (longest, d, rows)].map { compute.smallScratch($0, $1, $2) }
      scratch = (needed.max()! + 15) / 16 * 16
      start = compute.scratch(.attentionScores, (self.scores + scratch) * compute.threads)
    }

    func scores(_ thread: Int) -> FloatPointer { start + thread * (scores + scratch) }

    func products(_ thread: Int) -> Products { Products(compute: compute, scratch: scores(thread) + scores) }
  }

  /// Products on one thread, with its memory.
  struct Products {
    let compute: Compute
    let scratch: FloatPointer

    func multiply(
      _ m: Int, _ n: Int, _ k: Int, _ a: Matrix, _ b: Matrix, into c: FloatPointer, stride: Int,
      accumulate: Bool = false
    ) {
      compute.multiplySmall(m, n, k, a, b, into: c, stride: stride, accumulate: accumulate, scratch: scratch)
    }
  }

  /// - Parameters:
  ///   - qkv: [tokens, attentionWidth], queries and keys already turned.
  ///   - output: [tokens, queryWidth].
  ///   - logSums: [heads, tokens].
  func forward(_ batch: TokenBatch, _ qkv: FloatPointer, output: FloatPointer, logSums: FloatPointer) {
    let (qkv, output, logSums) = (Shared(qkv), Shared(output), Shared(logSums))
    let (d, group) = (config.headSize, config.heads / config.keyValueHeads)
    eachHead(batch, scratch: 1) { tokens, keyValueHead, scores, products in
      let keys = qkv.pointer + tokens.lowerBound * width + config.queryWidth + keyValueHead * d
      let values = keys + config.keyValueWidth
      for first in stride(from: 0, to: tokens.count, by: Self.block) {
        let rows = min(Self.block, tokens.count - first)
        let columns = first + rows
        for head in keyValueHead * group..<(keyValueHead + 1) * group {
          let token = tokens.lowerBound + first
          products.multiply(
            rows, columns, d, Matrix(qkv.pointer + token * width + head * d, stride: width),
            Matrix(keys, stride: width).transposed, into: scores, stride: columns)
          vp_causal_softmax(scores, logSums.pointer + head * batch.count + token, rows, columns, first, scale)
          products.multiply(
            rows, d, columns, Matrix(scores, stride: columns), Matrix(values, stride: width),
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
    eachHead(batch, scratch: 2) { tokens, keyValueHead, memory, products in
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
            let dOutOperand = Matrix(dOut, stride: config.queryWidth)
            products.multiply(
              rows, columns, d, Matrix(query, stride: width),
              Matrix(keys, stride: width).transposed, into: memory, stride: columns)
            vp_causal_softmax_again(
              memory, logSums.pointer + head * batch.count + token, rows, columns, first, scale)
            products.multiply(
              rows, columns, d, dOutOperand, Matrix(values, stride: width).transposed, into: dScores,
              stride: columns)
            vp_dot_rows(dOut, out, dots, rows, d, config.queryWidth, config.queryWidth)
            products.multiply(
              columns, d, rows, Matrix(memory, stride: columns).transposed, dOutOperand, into: dValues,
              stride: width, accumulate: !isFirst)
            vp_softmax_backward(memory, dScores, dots, rows, columns, scale)
            products.multiply(
              rows, d, columns, Matrix(dScores, stride: columns), Matrix(keys, stride: width),
              into: dqkv.pointer + token * width + head * d, stride: width)
            products.multiply(
              columns, d, rows, Matrix(dScores, stride: columns).transposed,
              Matrix(query, stride: width), into: dKeys, stride: width, accumulate: !isFirst)
            isFirst = false
          }
        }
      }
    }
  }
}
