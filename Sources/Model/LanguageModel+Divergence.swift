import CCompute
import Text

/// What a model thinks of some texts, kept so that others can be compared with it: the residual stream behind the last
/// layer, from which its probabilities follow without the layers.
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
  /// Keeps what this model thinks of texts.
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

  /// KL(held ‖ this) at each token of each text, added up over the vocabulary, in nats.
  /// - Parameter held: of another model, which has a `compute` of its own, over the same vocabulary.
  package func divergences(from held: HeldTexts) throws -> [[Double]] {
    precondition(held.model !== self && held.model.compute !== compute, "both models need memory of their own")
    precondition(held.model.vocabularySize == vocabularySize, "probabilities over two vocabularies")
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
  /// KL(other ‖ this) row by row, in nats.
  fileprivate func divergences(
    _ stream: FloatPointer, _ rows: [Int], from other: DecoderPass, _ otherStream: FloatPointer, _ otherRows: [Int]
  ) -> [Double] {
    var results = [Double](repeating: 0, count: rows.count)
    let vocabulary = decoder.config.vocabularySize
    results.withUnsafeMutableBufferPointer { results in
      let results = Shared(results.baseAddress!)
      forEachLogits(stream, rows: rows) { which, _, _, logits in
        // In one portion, since these are one.
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
  /// KL(base ‖ model) = Σ p(v) · (log p(v) − log q(v)), p of the base, in nats. What the base never says weighs nothing,
  /// whatever the model thinks of it.
  package static func divergence(
    of model: UnsafeBufferPointer<Float>, from base: UnsafeBufferPointer<Float>
  ) -> Double {
    precondition(model.count == base.count, "two vocabularies")
    let sum = vp_kl(base.baseAddress!, model.baseAddress!, base.count)
    // Rounding may leave a trace below zero where the two are the same. (Not by `max`, which takes a NaN for zero.)
    return sum < 0 ? 0 : sum
  }
}
