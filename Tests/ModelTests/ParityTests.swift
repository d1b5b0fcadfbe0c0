import Apply
import Checkpoints
import TestModels
import Testing
import Text

@testable import Model

/// The same numbers as PyTorch's, on models small enough to hold all of them.
@Suite("Parity with PyTorch") struct ParityTests {
  static func model(_ tiny: TinyModel, threads: Int = 2) throws -> LanguageModel {
    try LanguageModel(ModelView(SafetensorsCheckpoint(path: tiny.folder)), compute: Compute(threads: threads))
  }

  /// What the reference was made of; a vision-language model's from the image file.
  static func examples(_ tiny: TinyModel) throws -> [Example] {
    let images = try tiny.images.map { try #require(try ImageReader(ModelFolder(tiny.folder))).source(path: $0) }
    return try tiny.rows().map { Example(ids: $0.ids, labels: $0.labels, images: images) }
  }

  @Test("logits", arguments: TinyModel.all) func logits(name: String) throws {
    let tiny = try TinyModel(name)
    let model = try Self.model(tiny)
    let expected = try tiny.floats("logits")
    let examples = try Self.examples(tiny)
    for (i, example) in examples.enumerated() {
      // The reference's rows are in one batch.
      let (batch, features) = try model.batch([example.sequence], length: examples.map(\.ids.count).max()!)
      let stream = model.pass.forward(batch, features: features)
      var logits: [Float] = []
      model.pass.forEachLogits(stream, rows: Array(batch.ids.indices)) { which, _, _, memory in
        logits += UnsafeBufferPointer(start: memory, count: which.count * model.vocabularySize)
      }
      let first = i * tiny.paddedLength * model.vocabularySize
      #expect(largestDifference(logits, Array(expected[first..<first + logits.count])) < 1e-4)
    }
  }

  @Test("every gradient, kept or computed again, alone or in a batch", arguments: TinyModel.all)
  func gradients(name: String) throws {
    let tiny = try TinyModel(name)
    let rows = try Self.examples(tiny)
    for (keeping, copies) in [(ActivationCheckpointing.activations, 1), (.inputs, 1), (.activations, 3)] {
      let model = try Self.model(tiny)
      for parameter in model.weights.parameters { parameter.beginTuning() }
      let examples = (0..<copies).flatMap { _ in rows }
      let targets = examples.reduce(0) { $0 + $1.answerTokens }
      let loss = try model.addGradients(examples, targets: targets, keeping: keeping)
      #expect(abs(Float(loss.mean) - (try tiny.floats("loss")[0])) < 1e-4)
      var count = 0
      let known = Set(tiny.referenceNames)
      for parameter in model.weights.parameters {
        let gradient = parameter.tuning!.gradient.array
        guard known.contains("grad." + parameter.name) else {
          // What the features of the model do not depend on, such as a layer above the one that is read.
          #expect(gradient.allSatisfy { $0 == 0 }, "\(parameter.name)")
          continue
        }
        // The bias of a tower's keys moves no attention: its gradient is zero, and in float32 what rounding leaves of it.
        let expected = try tiny.floats("grad." + parameter.name)
        let isNothing = (gradient + expected).allSatisfy { abs($0) < 1e-9 }
        let distance = relativeDistance(gradient, expected)
        #expect(distance < 1e-4 || isNothing, "\(parameter.name): \(distance)")
        count += 1
      }
      #expect(count == tiny.referenceNames.count { $0.hasPrefix("grad.") })
    }
  }

  @Test("gradients of a few tensors are those of all", arguments: TinyModel.all)
  func someGradients(name: String) throws {
    let tiny = try TinyModel(name)
    let examples = try Self.examples(tiny)
    let ofVision = [
      "linear_2", "merger.mlp.0", "image_newline", "layers.0.mlp.fc1", "layers.1.layer_norm2", "blocks.0.attn.qkv",
      "blocks.1.mlp.down_proj", "patch_embed", "position_embedding",
    ]
    let ofFamilies = [
      "layers.1.self_attn.q_norm", "layers.0.post_feedforward_layernorm", "layers.1.self_attn.qkv_proj",
    ]
    for wanted in ["layers.1.self_attn.v_proj", "layers.0.mlp.up_proj", "layers.1.mlp.down_proj", "model.norm"]
      + ofFamilies + ofVision
    {
      let model = try Self.model(tiny)
      let tuned = model.weights.parameters.filter { $0.name.contains(wanted) }
      // Not each has each.
      #expect(!tuned.isEmpty || (ofFamilies + ofVision).contains(wanted) || name.hasPrefix("tiny-phi3"))
      guard !tuned.isEmpty else { continue }
      for parameter in tuned { parameter.beginTuning() }
      _ = try model.addGradients(examples, targets: examples.reduce(0) { $0 + $1.answerTokens })
      for parameter in tuned {
        let distance = relativeDistance(parameter.tuning!.gradient.array, try tiny.floats("grad." + parameter.name))
        #expect(distance < 1e-4, "\(parameter.name)")
      }
    }
  }

  @Test(
    "scores and continuations do not depend on how they are grouped, or on the cache",
    arguments: ["tiny-qwen2"] + TinyModel.families)
  func grouping(name: String) throws {
    let tiny = try TinyModel(name)
    let model = try Self.model(tiny)
    var random = SeededRandom(seed: 5)
    let sequences = [3, 1, 40, 17, 150].map { (length: Int) in
      TokenSequence((0..<length).map { _ in Int32(random.next() % UInt64(model.vocabularySize)) })
    }
    let together = try model.scores(of: sequences)
    let alone = try sequences.map { try model.scores(of: [$0])[0] }
    for (a, b) in zip(together, alone) {
      #expect(a.count == b.count)
      #expect(largestDifference(a.map(\.logProbability), b.map(\.logProbability)) < 1e-4)
      #expect(a.map(\.isGreedy) == b.map(\.isGreedy))
    }
    let texts = try model.continueGreedily(sequences, stop: [], limit: 12, observe: nil)
    for (prompt, text) in zip(sequences, texts) {
      #expect(text.count == 12)
      // What was generated is what the model finds most probable when it sees all of it at once. Some rotary embeddings
      // depend on how much it sees.
      if !TinyModel.byLength.contains(name) {
        let greedy = try model.scores(of: [TokenSequence(prompt.ids + text)])[0].suffix(12).map(\.isGreedy)
        #expect(!greedy.contains(false))
      }
      var one: [Int32] = []
      try model.generate(prompt, limit: 12, .greedy, stop: []) {
        one.append($0)
        return true
      }
      #expect(one == text)
    }
  }
}
