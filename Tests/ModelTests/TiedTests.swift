import Apply
import Base
import Checkpoints
import Foundation
import TestModels
import Testing
import Text

@testable import Model

/// Where the embedding is the head too, its gradient has two parts.
@Suite("A tied model") struct TiedTests {
  /// tiny-llama without a head of its own.
  static func model(_ folder: TestFolder) throws -> LanguageModel {
    let tiny = try TinyModel("tiny-llama")
    let checkpoint = try SafetensorsCheckpoint(path: tiny.folder)
    let tensors = try checkpoint.tensors.filter { $0.name != "lm_head.weight" }.map { tensor in
      var bytes = [UInt8](repeating: 0, count: tensor.info.byteCount)
      try bytes.withUnsafeMutableBytes { try StoredTensor(tensor, in: checkpoint).read(into: $0, at: 0) }
      return TestTensor(tensor.name, tensor.info.dtype.name, tensor.info.shape, bytes: bytes)
    }
    try folder.file("model.safetensors", tensors)
    let config = try String(contentsOfFile: tiny.folder + "/config.json", encoding: .utf8)
    try folder.write(
      "config.json", config.replacing("\"tie_word_embeddings\": false", with: "\"tie_word_embeddings\": true"))
    return try LanguageModel(ModelView(SafetensorsCheckpoint(path: folder.path)), compute: Compute(threads: 2))
  }

  /// tiny-llama, tied by its config, with a head in the file.
  private static func stored(_ folder: TestFolder, head: (TestTensor, _ embedding: TestTensor) -> TestTensor) throws
    -> LanguageModel
  {
    let tiny = try TinyModel("tiny-llama")
    let tensors = try SafetensorsCheckpoint(path: tiny.folder).testTensors()
    let embedding = tensors.first { $0.name == "model.embed_tokens.weight" }!
    try folder.file("model.safetensors", tensors.map { $0.name == "lm_head.weight" ? head($0, embedding) : $0 })
    let config = try JSON.parse(folder.bytes("\(tiny.folder)/config.json"))
    try folder.write("config.json", config.setting("tie_word_embeddings", to: .bool(true)).pretty())
    return try LanguageModel(ModelView(SafetensorsCheckpoint(path: folder.path)), compute: Compute(threads: 1))
  }

  @Test("a head of its own with other values is used, with a warning: as transformers 5") func ownHead() throws {
    let folder = try TestFolder()
    let tied = try Self.stored(folder) { own, _ in own }
    #expect(tied.warnings.count == 1 && tied.warnings[0].contains("\"lm_head.weight\" is stored with other values"))
    #expect(tied.storedTwice == nil && tied.used.contains { $0.name == "lm_head.weight" })
    let tiny = try TinyModel("tiny-llama")
    let plain = try LanguageModel(ModelView(SafetensorsCheckpoint(path: tiny.folder)), compute: Compute(threads: 1))
    #expect(plain.warnings.isEmpty)
    let ids = TokenSequence([5, 90, 7, 5, 300, 7, 90])
    let scores = try [tied, plain].map { try $0.scores(of: [ids])[0].map(\.logProbability) }
    #expect(scores[0] == scores[1])
  }

  @Test("a head with the same values is the embedding: both are written when it is tuned") func sameHead() throws {
    let folder = try TestFolder()
    let model = try Self.stored(folder) { own, embedding in
      TestTensor(own.name, embedding.dtype, embedding.shape, bytes: embedding.bytes)
    }
    #expect(model.warnings.isEmpty && model.storedTwice?.head.name == "lm_head.weight")
    #expect(!model.used.contains { $0.name == "lm_head.weight" })
    // By value: −0 is 0, whatever the dtype.
    let other = try TestFolder()
    let wide = try Self.stored(other) { own, embedding in
      let floats = stride(from: 0, to: embedding.bytes.count, by: 2).flatMap { i -> [UInt8] in
        [0, 0, embedding.bytes[i], embedding.bytes[i + 1]]
      }
      return TestTensor(own.name, "F32", embedding.shape, bytes: floats)
    }
    #expect(wide.warnings.isEmpty && wide.storedTwice != nil)
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
