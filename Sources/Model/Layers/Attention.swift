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
    /// By which products of queries and keys are multiplied; nil for one over the root of the head size.
    var scale: Float?

    /// Width of the queries, and of the output.
    var queryWidth: Int { heads * headSize }
    /// Width of the keys, and of the values.
    var keyValueWidth: Int { keyValueHeads * headSize }
    /// Queries, keys and values side by side.
    var width: Int { queryWidth + 2 * keyValueWidth }
    /// Query heads that one head of keys and values serves.
    var group: Int { heads / keyValueHeads }
  }

  let shape: Shape
  let compute: Compute
  /// How many tokens a token sees, itself included; nil for all before it.
  var window: Int?
  /// Queries per block.
  static let block = 128

  private var width: Int { shape.width }
  var scale: Float { shape.scale ?? 1 / Float(shape.headSize).squareRoot() }

  /// Calls `body` for each sequence and each head of keys and values, with the query heads that it serves.
  private func eachHead(
    _ spans: [AttentionSpan], scratch matrices: Int,
    _ body:
      @Sendable (
        _ span: AttentionSpan, _ keyValueHead: Int, _ scores: FloatPointer, _ products: Products
      ) -> Void
  ) {
    let longest = spans.map(\.length).max() ?? 0
    let (rows, heads) = (max(Self.block, shape.group), shape.keyValueHeads)
    let memory = ThreadMemory(self, scores: matrices * rows * longest, rows: rows, longest)
    compute.each(spans.count * heads) { thread, i in
      body(spans[i / heads], i % heads, memory.scores(thread), memory.products(thread))
    }
  }

  /// The keys that a block of queries attends to.
  private struct View {
    /// The first key.
    var start = 0
    var columns: Int
    /// How many of them all queries of the block attend to, but for a window: each later query attends to one more.
    var visible: Int
    /// How many keys after the first one the window of the block's first query begins; each later one begins one later.
    /// Negative where the sequence begins within the window; nil without a window.
    var hidden: Int?
  }

  private func view(_ span: AttentionSpan, _ first: Int, _ rows: Int) -> View {
    let before = span.before + first
    guard shape.isCausal else { return View(columns: span.length, visible: span.length) }
    guard let window, before + rows > window else { return View(columns: before + rows, visible: before) }
    let begin = before - window + 1
    let start = max(begin, 0)
    return View(start: start, columns: before + rows - start, visible: before - start, hidden: begin - start)
  }

  /// Removes the scores of keys in front of each query's window.
  private func hide(_ view: View, _ rows: Int, _ scores: FloatPointer) {
    guard let hidden = view.hidden else { return }
    for row in 0..<rows where hidden + row > 0 {
      // Finite, since the kernels subtract it.
      (scores + row * view.columns).update(repeating: -1e30, count: min(hidden + row, view.columns))
    }
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
  ///   - spans: the sequences, with the keys and values that each attends to.
  ///   - count: number of tokens.
  ///   - qkv: [tokens, width]; queries and keys are already rotated.
  ///   - output: [tokens, queryWidth].
  ///   - logSums: [heads, tokens], for `backward`; nil if there is none.
  func forward(
    _ spans: [AttentionSpan], tokens count: Int, _ qkv: FloatPointer, output: FloatPointer, logSums: FloatPointer?
  ) {
    let (qkv, output, logSums) = (Shared(qkv), Shared(output), Shared(logSums))
    let (d, group, queryWidth) = (shape.headSize, shape.group, shape.queryWidth)
    eachHead(spans, scratch: 1) { span, keyValueHead, scores, products in
      let keys = Matrix(span.keys.pointer + keyValueHead * d, stride: span.stride)
      let values = Matrix(span.values.pointer + keyValueHead * d, stride: span.stride)
      /// Queries and outputs of `rows` rows, from this token and head on.
      func attend(_ rows: Int, _ view: View, token: Int, head: Int, stride: (Int, Int)) {
        let (keys, values) = (keys.dropping(rows: view.start), values.dropping(rows: view.start))
        products.multiply(
          rows, view.columns, d, Matrix(qkv.pointer + token * width + head * d, stride: stride.0), keys.transposed,
          into: scores, stride: view.columns)
        hide(view, rows, scores)
        vp_causal_softmax(
          scores, logSums.pointer.map { $0 + head * count + token }, rows, view.columns, view.visible, scale)
        products.multiply(
          rows, d, view.columns, Matrix(scores, stride: view.columns), values,
          into: output.pointer + token * queryWidth + head * d, stride: stride.1)
      }
      if span.tokens.count == 1, logSums.pointer == nil {
        // The rows are all heads of the group; each attends to all columns.
        let start = window.map { max(span.length - $0, 0) } ?? 0
        let view = View(start: start, columns: span.length - start, visible: span.length - start)
        return attend(
          group, view, token: span.tokens.lowerBound, head: keyValueHead * group, stride: (d, d))
      }
      for first in stride(from: 0, to: span.tokens.count, by: Self.block) {
        let rows = min(Self.block, span.tokens.count - first)
        for head in keyValueHead * group..<(keyValueHead + 1) * group {
          attend(
            rows, view(span, first, rows), token: span.tokens.lowerBound + first, head: head,
            stride: (width, queryWidth))
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
    let (d, group) = (shape.headSize, shape.group)
    eachHead(spans(sequences, in: qkv.pointer), scratch: 2) { span, keyValueHead, memory, products in
      let tokens = span.tokens
      let key = shape.queryWidth + keyValueHead * d
      let keys = Matrix(span.keys.pointer + keyValueHead * d, stride: span.stride)
      let values = Matrix(span.values.pointer + keyValueHead * d, stride: span.stride)
      let dKeys = dqkv.pointer + tokens.lowerBound * width + key
      let dValues = dKeys + shape.keyValueWidth
      withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.block) { dots in
        let dots = dots.baseAddress!
        // From the end: the last block covers all keys, so it initialises what the others add to. With a window it may
        // not.
        var isFirst = window.map { tokens.count <= $0 } ?? true
        if !isFirst {
          for row in 0..<tokens.count {
            (dKeys + row * width).update(repeating: 0, count: d)
            (dValues + row * width).update(repeating: 0, count: d)
          }
        }
        for first in stride(from: 0, to: tokens.count, by: Self.block).reversed() {
          let rows = min(Self.block, tokens.count - first)
          let view = view(span, first, rows)
          let (columns, visible, start) = (view.columns, view.visible, view.start)
          let (keys, values) = (keys.dropping(rows: start), values.dropping(rows: start))
          let (dKeys, dValues) = (dKeys + start * width, dValues + start * width)
          let dScores = memory + Self.block * tokens.count
          for head in keyValueHead * group..<(keyValueHead + 1) * group {
            let token = tokens.lowerBound + first
            let query = qkv.pointer + token * width + head * d
            let out = output.pointer + token * shape.queryWidth + head * d
            let dOut = dOutput.pointer + token * shape.queryWidth + head * d
            let dOutOperand = Matrix(dOut, stride: shape.queryWidth)
            products.multiply(
              rows, columns, d, Matrix(query, stride: width),
              keys.transposed, into: memory, stride: columns)
            hide(view, rows, memory)
            vp_causal_softmax_again(
              memory, logSums.pointer + head * count + token, rows, columns, visible, scale)
            products.multiply(
              rows, columns, d, dOutOperand, values.transposed, into: dScores,
              stride: columns)
            vp_dot_rows(dOut, out, dots, rows, d, shape.queryWidth, shape.queryWidth)
            products.multiply(
              columns, d, rows, Matrix(memory, stride: columns).transposed, dOutOperand, into: dValues,
              stride: width, accumulate: !isFirst)
            vp_softmax_backward(memory, dScores, dots, rows, columns, scale)
            products.multiply(
              rows, d, columns, Matrix(dScores, stride: columns), keys,
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
