import Apply
import Base
import Images
import TestModels
import Testing
import Text

@testable import Train

@Suite("What a training run is told") struct TrainingOptionsTests {
  @Test("schedules") func schedules() {
    var options = TrainingOptions(selection: .recipe(.saProj))
    options.learningRate = 1
    options.warmup = 0.2
    func rates(_ schedule: TrainingOptions.Schedule) -> [Double] {
      options.schedule = schedule
      return (0..<10).map { options.learningRate(step: $0, of: 10) }
    }
    #expect(rates(.constant) == [1 / 3.0, 2 / 3.0] + [Double](repeating: 1, count: 8))
    let linear = rates(.linear)
    #expect(linear[2] == 1 && abs(linear[6] - 0.5) < 1e-12 && abs(linear[9] - 0.125) < 1e-12)
    let cosine = rates(.cosine)
    #expect(cosine[2] == 1 && abs(cosine[6] - 0.5) < 1e-12 && cosine[9] < 0.05 && cosine[9] > 0)
  }

  @Test("each epoch has every row once, in an order of its own") func order() {
    let order = BatchOrder(rows: 10, batch: 4, seed: 7, isShuffled: true)
    #expect(order.stepsPerEpoch == 3)
    let epochs = (0..<3).map { epoch in (0..<3).flatMap { order.rows(ofStep: epoch * 3 + $0) } }
    for epoch in epochs { #expect(epoch.sorted() == Array(0..<10)) }
    #expect(Set(epochs).count == 3)
    #expect(order.rows(ofStep: 2).count == 2)
    let plain = BatchOrder(rows: 10, batch: 4, seed: 7, isShuffled: false)
    #expect(plain.rows(ofStep: 4) == [4, 5, 6, 7])
    #expect(BatchOrder(rows: 10, batch: 4, seed: 8, isShuffled: true).rows(ofStep: 0) != order.rows(ofStep: 0))
  }

  @Test("portions") func portions() {
    let examples = [900, 900, 900, 3000, 10, 10].map {
      Example(ids: [Int32](repeating: 1, count: $0), labels: [Int32](repeating: 1, count: $0))
    }
    #expect(MicroBatches.split(examples, rows: nil).map(\.count) == [2, 1, 1, 2])
    #expect(MicroBatches.split(examples, rows: 4).map(\.count) == [4, 2])
    #expect(MicroBatches.largest(examples, batch: 6, rows: nil) == 3000)
    #expect(MicroBatches.largest(examples, batch: 6, rows: 2) == 3900)
    #expect(MicroBatches.largest(Array(examples[4...]), batch: 2, rows: nil) == 20)
  }

  @Test("the rows whose images need most, however much text is beside them") func richest() {
    let image = ImageSource(path: "a.png", digest: SHA256Hasher.hash("a"), width: 8, height: 8)
    func row(_ text: Int, _ seen: Int) -> Example {
      let ids = [Int32](repeating: 1, count: text) + [Int32](repeating: 9, count: seen)
      return Example(ids: ids, labels: ids, images: seen == 0 ? [] : [image])
    }
    let examples = [row(1900, 100), row(10, 900), row(2000, 0), row(10, 300), row(10, 900)]
    func tokens(_ rows: Int?) -> [Int] {
      MicroBatches.richest(examples, rows: rows, token: 9).map { $0.ids.count { $0 == 9 } }
    }
    #expect(tokens(nil) == [900, 900] && tokens(3) == [900, 900, 300])
    #expect(MicroBatches.richest([row(5, 0)], rows: nil, token: 9).isEmpty)
  }

  @Test("what is tuned, by recipe and layers") func plans() throws {
    let model = try TrainingRunTests.model(try TinyModel("tiny-qwen2"))
    func names(_ recipe: Recipe, _ layers: ClosedRange<Int>? = nil) throws -> [String] {
      var options = TrainingOptions(selection: .recipe(recipe))
      options.layers = layers
      return try TuningPlan(model, options).names
    }
    #expect(try names(.saProj).count == 14)
    #expect(try names(.saQKV).count == 12)
    #expect(try names(.gateUp, 1...1) == ["model.layers.1.mlp.gate_proj.weight", "model.layers.1.mlp.up_proj.weight"])
    #expect(try names(.llm).count == 27)
    let nothing = #expect(throws: VPatchError.self) { try names(.vision) }
    #expect(nothing!.description.contains("has no tensor of the recipe vision"))
    let outside = #expect(throws: VPatchError.self) { try names(.down, 2...5) }
    #expect(outside!.description.contains("the recipe down is in layers 0 to 1"))
  }

  @Test("of a vision tower only what is read is tuned") func visionTower() throws {
    // The features are those that the last layer but one gives.
    let model = try TrainingRunTests.model(try TinyModel("tiny-llava-next"))
    let vision = try TuningPlan(model, TrainingOptions(selection: .recipe(.vision))).names
    #expect(vision.contains("vision_tower.encoder.layers.0.mlp.fc1.weight"))
    #expect(!vision.contains { $0.contains("layers.1.") || $0.contains("post_layernorm") })
    let full = try TuningPlan(model, TrainingOptions(selection: .recipe(.full))).names
    #expect(Set(full).isSuperset(of: vision) && full.contains("image_newline"))
    #expect(!full.contains { $0.hasPrefix("vision_tower.encoder.layers.1.") })
    let unread = TrainingOptions(selection: .only(try NamePattern("vision_tower.post_layernorm.*")))
    let error = #expect(throws: VPatchError.self) { try TuningPlan(model, unread) }
    #expect(error!.description.contains("that its output does not depend on"))
  }
}
