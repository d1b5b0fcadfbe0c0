import CCompute
import Text

/// A model's predictions for some texts, held for comparison with other models: the residual stream after the last
/// layer, from which probabilities are computed without running the layers again.
package final class HeldTexts {
  let model: LanguageModel
  let sequences: [TokenSequence]
  let streams: [Floats]

  init(_ model: LanguageModel, _ sequences: [TokenSequence], _ streams: [Floats]) {
    self.model = model
    self.sequences = sequences
    self.streams = streams
  }

  package var tokens: Int { sequences.reduce(0) { $0 + $1.count } }
}

extension LanguageModel {
  /// Holds this model's predictions for some texts.
  package func hold(_ sequences: [TokenSequence]) throws -> HeldTexts {
    var streams: [Floats] = []
    try forEachPortion(sequences) { _, batch, stream in
      for tokens in batch.sequences {
        let held = Floats(tokens.count * config.hiddenSize)
        held.start.update(from: stream + tokens.lowerBound * config.hiddenSize, count: held.count)
        streams.append(held)
      }
    }
    return HeldTexts(self, sequences, streams)
  }

  /// KL(held ‖ this) at each token of each text, summed over the vocabulary, in nats.
  /// - Parameter held: of another model with the same vocabulary and a `Compute` of its own.
  package func divergences(from held: HeldTexts) throws -> [[Double]] {
    precondition(held.model !== self && held.model.compute !== compute, "both models need a Compute of their own")
    precondition(held.model.vocabularySize == vocabularySize, "the vocabularies differ")
    var results: [[Double]] = []
    try forEachPortion(held.sequences) { which, batch, stream in
      for (i, tokens) in zip(which, batch.sequences) {
        results.append(
          pass.divergences(stream, Array(tokens), from: held.model.pass, held.streams[i].start, Array(0..<tokens.count))
        )
      }
    }
    return results
  }
}

extension DecoderPass {
  /// KL(other ‖ this) for each row, in nats.
  fileprivate func divergences(
    _ stream: FloatPointer, _ rows: [Int], from other: DecoderPass, _ otherStream: FloatPointer, _ otherRows: [Int]
  ) -> [Double] {
    var results = [Double](repeating: 0, count: rows.count)
    let vocabulary = decoder.config.vocabularySize
    results.withUnsafeMutableBufferPointer { results in
      let results = Shared(results.baseAddress!)
      forEachLogits(stream, rows: rows) { which, _, _, logits in
        // One call: these rows already fit into one block of logits.
        other.forEachLogits(otherStream, rows: Array(otherRows[which])) { _, _, _, otherLogits in
          let (mine, theirs) = (Shared(logits), Shared(otherLogits))
          compute.split(which.count) { range in
            for i in range {
              let (p, q) = (theirs.pointer + i * vocabulary, mine.pointer + i * vocabulary)
              vp_subtract(p, vp_summarize(p, vocabulary).log_sum, vocabulary)
              vp_subtract(q, vp_summarize(q, vocabulary).log_sum, vocabulary)
              results.pointer[which.lowerBound + i] = LogProbabilities.divergence(
                of: UnsafeBufferPointer(start: q, count: vocabulary),
                from: UnsafeBufferPointer(start: p, count: vocabulary))
            }
          }
        }
      }
    }
    return results
  }
}

/// Distributions over a vocabulary, as natural logarithms of probabilities.
package enum LogProbabilities {
  /// KL(base ‖ model) = Σ p(v) · (log p(v) − log q(v)), p of the base, in nats. Tokens with p = 0 add nothing, whatever
  /// q is.
  package static func divergence(
    of model: UnsafeBufferPointer<Float>, from base: UnsafeBufferPointer<Float>
  ) -> Double {
    precondition(model.count == base.count, "the vocabularies differ")
    let sum = vp_kl(base.baseAddress!, model.baseAddress!, base.count)
    // Rounding may give slightly less than zero for equal distributions. (`max` would turn a NaN into zero.)
    return sum < 0 ? 0 : sum
  }
}
