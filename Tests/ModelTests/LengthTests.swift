import TestModels
import Testing
import Text

@testable import Model

/// Rotary embeddings that depend on the length of the text: dynamic scaling and LongRoPE.
@Suite("Positions that depend on the text's length") struct LengthTests {
  /// Of the models of fixtures/tiny-families.
  private static let originalLength = 24

  private static func random(_ count: Int, _ model: LanguageModel, seed: UInt64 = 5) -> TokenSequence {
    var random = SeededRandom(seed: seed)
    return TokenSequence((0..<count).map { _ in Int32(random.next() % UInt64(model.vocabularySize)) })
  }

  @Test("a short text has the frequencies of the original length", arguments: TinyModel.byLength)
  func short(name: String) throws {
    let tiny = try TinyModel(name, reference: "short")
    let model = try ParityTests.model(tiny)
    let row = try tiny.rows()[0].ids
    let (batch, _) = try model.batch([TokenSequence(row)])
    var logits: [Float] = []
    model.pass.forEachLogits(model.pass.forward(batch), rows: Array(row.indices)) { which, _, _, memory in
      logits += UnsafeBufferPointer(start: memory, count: which.count * model.vocabularySize)
    }
    #expect(largestDifference(logits, try tiny.floats("logits")) < 1e-4)
  }

  @Test("a text's scores do not depend on its neighbours", arguments: TinyModel.byLength)
  func neighbours(name: String) throws {
    let model = try ParityTests.model(TinyModel(name))
    let texts = [10, 24, 25, 60, 33].map { Self.random($0, model) }
    let together = try model.scores(of: texts)
    for (text, scores) in zip(texts, together) {
      let alone = try model.scores(of: [text])[0]
      #expect(largestDifference(alone.map(\.logProbability), scores.map(\.logProbability)) < 1e-5)
    }
    // The length is of matter.
    let (short, long) = (Self.random(24, model), Self.random(25, model))
    #expect(short.ids == Array(long.ids.prefix(24)))
    let parts = try model.scores(of: [short, long])
    #expect(largestDifference(parts[0].map(\.logProbability), parts[1].dropLast().map(\.logProbability)) > 1e-4)
  }

  @Test(
    "each generated token is that of the text so far, also where the length changes the frequencies",
    arguments: TinyModel.byLength, [20, 23, 24, 30]) func generation(name: String, prompt count: Int) throws
  {
    let model = try ParityTests.model(TinyModel(name))
    let prompt = Self.random(count, model, seed: 7)
    let text = try model.continueGreedily([prompt, Self.random(3, model)], stop: [], limit: 6, observe: nil)[0]
    for (i, id) in text.enumerated() {
      let before = TokenSequence(prompt.ids + text.prefix(i))
      var best: Int32 = -1
      try model.forEachDistribution(of: [before], at: [before.count - 1..<before.count]) { _, _, distribution in
        best = Sampling.largest(distribution)
      }
      #expect(best == id, "token \(i) after \(count)")
    }
  }

  @Test("training counts all texts of a batch as long as the longest, whatever the micro-batches")
  func training() throws {
    let model = try ParityTests.model(TinyModel("tiny-llama-dynamic"))
    func example(_ count: Int) -> Example {
      let ids = Self.random(count, model).ids
      return Example(ids: ids, labels: ids)
    }
    let examples = [example(40), example(30)]
    let targets = examples.reduce(0) { $0 + $1.answerTokens }
    let whole = try model.addGradients(examples, targets: targets).mean
    let parts = try examples.map { try model.addGradients([$0], targets: targets, length: 40).negativeLogLikelihood }
    #expect(abs(parts.reduce(0, +) / Double(targets) - whole) < 1e-5)
    let alone = try examples.map { try model.addGradients([$0], targets: targets).negativeLogLikelihood }
    #expect(abs(alone.reduce(0, +) / Double(targets) - whole) > 2e-5)
  }
}
