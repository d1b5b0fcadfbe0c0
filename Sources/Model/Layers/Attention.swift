import CCompute

/// Self-attention over concatenated sequences (Vaswani et al., arXiv 1706.03762), in blocks of queries, so that no
/// length × length matrix is held (Dao et al., arXiv 2205.14135).
struct Attention {
  struct Shape: Equatable, Sendable {
    let heads: Int
    /// Heads of keys and values; each serves `heads` / `keyValueHeads` query heads.
    let keyValueHeads: Int
    let headSize: Int
    /// Whether a token attends only to itself and those before it; otherwise to its whole sequence.
    let isCausal: Bool

    /// Width of the queries, and of the output.
    var queryWidth: Int { heads * headSize }
    /// Width of the keys, and of the values.
    var keyValueWidth: Int { keyValueHeads * headSize }
    /// Queries, keys and values side by side.
    var width: Int { queryWidth + 2 * keyValueWidth }
  }

  let shape: Shape
  let compute: Compute
  /// Queries per block.
  static let block = 128

  private var width: Int { shape.width }
  var scale: Float { 1 / Float(shape.headSize).squareRoot() }

  /// One sequence and one head of keys and values, with the query heads that it serves.
  private func eachHead(
    _ sequences: [Range<Int>], scratch matrices: Int,
    _ body: @Sendable (_ tokens: Range<Int>, _ keyValueHead: Int, _ scores: FloatPointer, _ products: Products) -> Void
  ) {
    let longest = sequences.map(\.count).max() ?? 0
    let memory = ThreadMemory(self, scores: matrices * Self.block * longest, rows: Self.block, longest)
    let heads = shape.keyValueHeads
    compute.each(sequences.count * heads) { thread, i in
      body(sequences[i / heads], i % heads, memory.scores(thread), memory.products(thread))
    }
  }

  /// Number of keys that a block of queries attends to, and how many of them all queries of the block attend to: each
  /// later query attends to one more.
  private func view(_ tokens: Range<Int>, _ first: Int, _ rows: Int) -> (columns: Int, before: Int) {
    shape.isCausal ? (first + rows, first) : (tokens.count, tokens.count)
  }

  /// Scratch memory of one thread: for scores, and for products.
  struct ThreadMemory: @unchecked Sendable {
    private let start: FloatPointer
    private let scores: Int
    private let scratch: Int
    private let compute: Compute

    /// - Parameters:
    ///   - rows: queries per block.
    ///   - longest: maximum number of keys.
    init(_ attention: Attention, scores: Int, rows: Int, _ longest: Int) {
      let (compute, d) = (attention.compute, attention.shape.headSize)
      self.compute = compute
      self.scores = (scores + 15) / 16 * 16
      // Scores, weighted values, and the gradients' products with queries: the three shapes that occur.
      let needed = [(rows, longest, d), (rows, d, longest), (longest, d, rows)].map { compute.smallScratch($0, $1, $2) }
      scratch = (needed.max()! + 15) / 16 * 16
      start = compute.scratch(.attentionScores, (self.scores + scratch) * compute.threads)
    }

    func scores(_ thread: Int) -> FloatPointer { start + thread * (scores + scratch) }

    func products(_ thread: Int) -> Products { Products(compute: compute, scratch: scores(thread) + scores) }
  }

  /// Products on one thread, in its scratch memory.
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
  ///   - sequences: range of each sequence's tokens.
  ///   - count: number of tokens.
  ///   - qkv: [tokens, width]; queries and keys are already rotated.
  ///   - output: [tokens, queryWidth].
  ///   - logSums: [heads, tokens].
  func forward(
    _ sequences: [Range<Int>], tokens count: Int, _ qkv: FloatPointer, output: FloatPointer, logSums: FloatPointer
  ) {
    let (qkv, output, logSums) = (Shared(qkv), Shared(output), Shared(logSums))
    let (d, group) = (shape.headSize, shape.heads / shape.keyValueHeads)
    eachHead(sequences, scratch: 1) { tokens, keyValueHead, scores, products in
      let keys = qkv.pointer + tokens.lowerBound * width + shape.queryWidth + keyValueHead * d
      let values = keys + shape.keyValueWidth
      for first in stride(from: 0, to: tokens.count, by: Self.block) {
        let rows = min(Self.block, tokens.count - first)
        let (columns, before) = view(tokens, first, rows)
        for head in keyValueHead * group..<(keyValueHead + 1) * group {
          let token = tokens.lowerBound + first
          products.multiply(
            rows, columns, d, Matrix(qkv.pointer + token * width + head * d, stride: width),
            Matrix(keys, stride: width).transposed, into: scores, stride: columns)
          vp_causal_softmax(scores, logSums.pointer + head * count + token, rows, columns, before, scale)
          products.multiply(
            rows, d, columns, Matrix(scores, stride: columns), Matrix(values, stride: width),
            into: output.pointer + token * shape.queryWidth + head * d, stride: shape.queryWidth)
        }
      }
    }
  }

  /// - Parameters:
  ///   - output, logSums: from `forward`.
  ///   - dOutput: gradient of the output.
  ///   - dqkv: gets the gradient of queries, keys and values, still rotated.
  func backward(
    _ sequences: [Range<Int>], tokens count: Int, _ qkv: FloatPointer, output: FloatPointer, logSums: FloatPointer,
    dOutput: FloatPointer,
    dqkv: FloatPointer
  ) {
    let (qkv, output, logSums) = (Shared(qkv), Shared(output), Shared(logSums))
    let (dOutput, dqkv) = (Shared(dOutput), Shared(dqkv))
    let (d, group) = (shape.headSize, shape.heads / shape.keyValueHeads)
    eachHead(sequences, scratch: 2) { tokens, keyValueHead, memory, products in
      let key = shape.queryWidth + keyValueHead * d
      let keys = qkv.pointer + tokens.lowerBound * width + key
      let values = keys + shape.keyValueWidth
      let dKeys = dqkv.pointer + tokens.lowerBound * width + key
      let dValues = dKeys + shape.keyValueWidth
      withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.block) { dots in
        let dots = dots.baseAddress!
        // From the end: the last block covers all keys, so it initialises what the others add to.
        var isFirst = true
        for first in stride(from: 0, to: tokens.count, by: Self.block).reversed() {
          let rows = min(Self.block, tokens.count - first)
          let (columns, before) = view(tokens, first, rows)
          let dScores = memory + Self.block * tokens.count
          for head in keyValueHead * group..<(keyValueHead + 1) * group {
            let token = tokens.lowerBound + first
            let query = qkv.pointer + token * width + head * d
            let out = output.pointer + token * shape.queryWidth + head * d
            let dOut = dOutput.pointer + token * shape.queryWidth + head * d
            let dOutOperand = Matrix(dOut, stride: shape.queryWidth)
            products.multiply(
              rows, columns, d, Matrix(query, stride: width),
              Matrix(keys, stride: width).transposed, into: memory, stride: columns)
            vp_causal_softmax_again(
              memory, logSums.pointer + head * count + token, rows, columns, before, scale)
            products.multiply(
              rows, columns, d, dOutOperand, Matrix(values, stride: width).transposed, into: dScores,
              stride: columns)
            vp_dot_rows(dOut, out, dots, rows, d, shape.queryWidth, shape.queryWidth)
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
