import CCompute
import Glibc

/// From the residual stream to logits, and back. With a large vocabulary, the logits of a whole batch would exceed all
/// activations, so they are computed for a few rows at a time, and only for the rows that are needed.
extension DecoderPass {
  /// Maximum bytes of logits held at once.
  static let logitBytes = 96 << 20

  private var vocabulary: Int { decoder.config.vocabularySize }

  /// Calls `body` with the logits of some rows, [rows, vocabulary], in the rows' order; it may overwrite them.
  /// - Parameters:
  ///   - stream: the residual stream after the last layer.
  ///   - body: gets the range within `rows`, and the rows before and after the final norm.
  func forEachLogits(
    _ stream: FloatPointer, rows: [Int],
    _ body: (_ which: Range<Int>, _ gathered: FloatPointer, _ normed: FloatPointer, _ logits: FloatPointer) throws ->
      Void
  ) rethrows {
    let step = max(1, min(rows.count, Self.logitBytes / 4 / vocabulary))
    let n = decoder.config.hiddenSize
    let gathered = compute.scratch(.gathered, 2 * step * n)
    let normed = gathered + step * n
    let logits = compute.scratch(.logits, step * vocabulary)
    for start in stride(from: 0, to: rows.count, by: step) {
      let which = start..<min(start + step, rows.count)
      for (i, row) in rows[which].enumerated() { memcpy(gathered + i * n, stream + row * n, n * 4) }
      compute.apply(decoder.finalNorm, to: gathered, rows: which.count, into: normed)
      compute.apply(decoder.head, to: normed, rows: which.count, into: logits)
      try body(which, gathered, normed, logits)
    }
  }

  /// A row and its target token.
  struct Target {
    let row: Int
    let id: Int32
  }

  /// Distillation: the other model's distribution for each token of the same rows (Li and Hoiem, arXiv 1606.09282).
  struct Distillation {
    /// Has a `Compute` of its own, whose memory holds the other model's logits.
    let pass: DecoderPass
    let stream: FloatPointer
    let strength: Strength

    struct Strength: Sendable {
      /// λ: weight relative to the answers' loss.
      let weight: Float
      let temperature: Float
    }
  }

  /// Sum of the targets' negative log-probabilities, in nats; plus the distillation loss, if any.
  /// - Parameters:
  ///   - scale: of the gradient: one over the number of targets in the whole batch.
  ///   - gradient: [tokens, hiddenSize]; gets the loss's gradient in the targets' rows, and zeros in all others. The
  ///     gradients of a tuned head and final norm are accumulated.
  func loss(
    _ stream: FloatPointer, tokens: Int, _ targets: [Target], scale: Float, gradient: FloatPointer,
    distillation: Distillation? = nil
  ) -> (nll: Double, distillation: Double) {
    let n = decoder.config.hiddenSize
    memset(gradient, 0, tokens * n * 4)
    let rows = targets.map(\.row)
    var losses = (nll: 0.0, distillation: 0.0)
    forEachLogits(stream, rows: rows) { which, gathered, normed, logits in
      let wanted = Array(targets[which])
      var sums: [(Double, Double)] = []
      if let distillation {
        // One call: these rows already fit into one block of logits.
        distillation.pass.forEachLogits(distillation.stream, rows: wanted.map(\.row)) {
          sums += rowLosses(logits, wanted, scale, (distillation.strength, $3))
        }
      } else {
        sums = rowLosses(logits, wanted, scale, nil)
      }
      for sum in sums {
        losses.nll += sum.0
        losses.distillation += sum.1
      }
      if decoder.head.isTuned { compute.addGradients(of: decoder.head, x: normed, dy: logits, rows: wanted.count) }
      let dGathered = compute.scratch(.gatheredGradient, wanted.count * n)
      memset(dGathered, 0, wanted.count * n * 4)
      compute.applyBack(decoder.head, to: logits, rows: wanted.count, into: normed)
      compute.applyBack(decoder.finalNorm, to: normed, x: gathered, rows: wanted.count, into: dGathered)
      for (i, target) in wanted.enumerated() { memcpy(gradient + target.row * n, dGathered + i * n, n * 4) }
    }
    return losses
  }

  /// Replaces logits by their gradients, and returns each row's losses.
  private func rowLosses(
    _ logits: FloatPointer, _ targets: [Target], _ scale: Float,
    _ distillation: (strength: Distillation.Strength, logits: FloatPointer)?
  ) -> [(Double, Double)] {
    let vocabulary = vocabulary
    let (logits, other) = (Shared(logits), (distillation?.logits).map { Shared($0) })
    let strength = distillation?.strength
    var results = [(Double, Double)](repeating: (0, 0), count: targets.count)
    results.withUnsafeMutableBufferPointer { results in
      let results = Shared(results.baseAddress!)
      compute.split(targets.count) { range in
        let copy = strength == nil ? nil : Floats(vocabulary)
        for i in range {
          let row = logits.pointer + i * vocabulary
          if let copy { memcpy(copy.start, row, vocabulary * 4) }
          let logSum = vp_summarize(row, vocabulary).log_sum
          let target = Int(targets[i].id)
          results.pointer[i].0 = Double(logSum - row[target])
          vp_probabilities(row, logSum, scale, vocabulary)
          row[target] -= scale
          if let strength, let other, let copy {
            results.pointer[i].1 = Self.distill(
              copy.start, other.pointer + i * vocabulary, into: row, vocabulary, strength, scale)
          }
        }
      }
    }
    return results
  }

  /// λ·T²·KL(base ‖ model) of the softened distributions; adds its gradient to `gradient`.
  ///
  /// The factor T² keeps the gradient's size as T grows (Hinton et al., arXiv 1503.02531).
  private static func distill(
    _ model: FloatPointer, _ base: FloatPointer, into gradient: FloatPointer, _ n: Int,
    _ strength: Distillation.Strength,
    _ scale: Float
  ) -> Double {
    let (temperature, weight) = (strength.temperature, strength.weight)
    vp_scale(model, 1 / temperature, n)
    vp_scale(base, 1 / temperature, n)
    vp_subtract(model, vp_summarize(model, n).log_sum, n)
    vp_subtract(base, vp_summarize(base, n).log_sum, n)
    vp_add_difference(gradient, model, base, weight * temperature * scale, n)
    return Double(weight * temperature * temperature) * vp_kl(base, model, n)
  }

  /// Scores of the targets.
  func scores(_ stream: FloatPointer, _ targets: [Target]) -> [TokenScore] {
    let vocabulary = vocabulary
    var scores = [TokenScore](repeating: TokenScore(logProbability: 0, isGreedy: false), count: targets.count)
    scores.withUnsafeMutableBufferPointer { scores in
      forEachLogits(stream, rows: targets.map(\.row)) { which, _, _, logits in
        let (logits, out) = (Shared(logits), Shared(scores.baseAddress! + which.lowerBound))
        compute.split(which.count) { range in
          for i in range {
            let row = logits.pointer + i * vocabulary
            let summary = vp_summarize(row, vocabulary)
            let id = Int(targets[which.lowerBound + i].id)
            out.pointer[i] = TokenScore(
              logProbability: row[id] - summary.log_sum, isGreedy: summary.largest == UInt32(id))
          }
        }
      }
    }
    return scores
  }

  /// Calls `body` with the log-probabilities after some rows, in their order.
  func forEachDistribution(
    _ stream: FloatPointer, rows: [Int], _ body: (Int, UnsafeBufferPointer<Float>) throws -> Void
  ) rethrows {
    let vocabulary = vocabulary
    try forEachLogits(stream, rows: rows) { which, _, _, logits in
      let shared = Shared(logits)
      compute.split(which.count) { range in
        for i in range {
          let row = shared.pointer + i * vocabulary
          vp_subtract(row, vp_summarize(row, vocabulary).log_sum, vocabulary)
        }
      }
      for i in which {
        let row = logits + (i - which.lowerBound) * vocabulary
        try body(i, UnsafeBufferPointer(start: row, count: vocabulary))
      }
    }
  }
}
