import Apply
import Foundation
import PatchFormat
import TestModels
import Testing
import Text

@testable import Model

/// Where the embedding is the head too, its gradient has two parts.
@Suite("A tied model") struct TiedTests {
  /// tiny-llama without a head of its own.
  static func model(_ folder: TestFolder) throws -> LanguageModel {
    let tiny = try TinyModel("tiny-llama")
    let checkpoint = try Checkpoint(path: tiny.folder)
    let tensors = try checkpoint.tensors.filter { $0.name != "lm_head.weight" }.map { tensor in
      var bytes = [UInt8](repeating: 0, count: tensor.info.byteCount)
      try bytes.withUnsafeMutableBytes { try StoredTensor(tensor, in: checkpoint).read(into: $0, at: 0) }
      return TestTensor(tensor.name, tensor.info.dtype.name, tensor.info.shape, bytes: bytes)
    }
    try folder.file("model.safetensors", tensors)
    let config = try String(contentsOfFile: tiny.folder + "/config.json", encoding: .utf8)
    try folder.write(
      "config.json", config.replacing("\"tie_word_embeddings\": false", with: "\"tie_word_embeddings\": true"))
    return try LanguageModel(ModelView(Checkpoint(path: folder.path)), compute: Compute(threads: 2))
  }

  @Test("the embedding's gradient is what the loss changes by") func gradient() throws {
    let folder = try TestFolder()
    let model = try Self.model(folder)
    #expect(model.config.isTied)
    let ids: [Int32] = [5, 90, 7, 5, 300, 7, 90]
    let example = Example(ids: ids, labels: ids)
    let embedding = model.weights.parameter(named: "model.embed_tokens.weight")!
    embedding.beginTuning()
    let tuning = embedding.tuning!
    _ = try model.addGradients([example], targets: example.answerTokens)
    let gradient = tuning.gradient.array
    let norm = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    func loss(_ distance: Double) throws -> Double {
      let before = tuning.master.array
      for (i, g) in gradient.enumerated() { tuning.master.start[i] += Float(distance * Double(g) / norm) }
      defer { tuning.master.start.update(from: before, count: before.count) }
      return try model.addGradients([example], targets: example.answerTokens).mean
    }
    let slope = (try loss(2e-3) - loss(-2e-3)) / 4e-3
    #expect(norm > 0.1 && abs(slope - norm) < 0.02 * norm, "\(slope), \(norm)")
  }
}
