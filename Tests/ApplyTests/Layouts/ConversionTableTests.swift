import TestModels
import Testing

@testable import Base
@testable import Checkpoints
@testable import Families

@Suite("Layouts: the table of conversions") struct ConversionTableTests {
  static let heads = 2
  static let configs = [
    JSON.dictionary([
      "num_attention_heads": JSON(heads), "vision_config": .dictionary(["num_attention_heads": JSON(heads)]),
    ])
  ]

  /// Random tensors of the hub's layout for a rule, and the runtime's from plain arrays.
  struct Sample {
    var hub: [[Grid]] = []
    var runtime: [Grid] = []

    init(_ converter: TensorConverter, _ random: inout TestRandom) {
      func size() -> Int { Int(random.next() % 5) + 1 }
      let arrangement = converter.arrangement
      let columns = size()
      var start = 0
      func grid(_ shape: [Int]) -> Grid {
        defer { start += shape.reduce(1, *) }
        return Grid.numbered(shape, from: start)
      }
      if arrangement.isStacked {
        let experts = size() * converter.runtime.count
        let rows = size()
        hub = converter.hub.map { _ in (0..<experts).map { _ in grid([rows, columns]) } }
        let share = experts / converter.runtime.count
        runtime = converter.runtime.indices.map { place in
          let stacks = hub.map { Grid.stacked(Array($0[place * share..<(place + 1) * share])) }
          return arrangement.joined.map { Grid.joined(stacks, axis: $0) } ?? stacks[0]
        }
      } else if converter.hub.count > 1 || converter.hub[0].text.contains("*") {
        let axis = arrangement.joined!
        hub = converter.hub.map { pattern in
          (0..<(pattern.text.contains("*") ? 3 : 1)).map { _ in
            var shape = [size(), 1, columns]
            if axis == 1 { shape = [2, size(), columns] }
            return grid(shape)
          }
        }
        runtime = [Grid.joined(hub.flatMap(\.self), axis: axis)]
      } else {
        let axis = arrangement.joined ?? 0
        let count = converter.runtime.count
        let sizes = arrangement.isEven ? Array(repeating: 4 * size(), count: count) : (0..<count).map { _ in size() }
        var shape = axis == 1 ? [2, sizes.reduce(0, +), columns] : [sizes.reduce(0, +), 2 * columns]
        if arrangement.deinterleaved == 1, axis == 0 { shape = [3, 2 * size(), columns] }
        let whole = grid(shape)
        hub = [[whole]]
        var read = arrangement.isTransposed ? whole.transposed : whole
        if let axis = arrangement.deinterleaved { read = read.deinterleaved(axis: axis, groups: 1) }
        var from = 0
        runtime =
          count == 1
          ? [read]
          : sizes.map { size in
            defer { from += size }
            return read.part(from..<from + size, axis: axis)
          }
        if let rotary = arrangement.rotary {
          for i in runtime.indices where rotary.only.isEmpty || rotary.only.contains(i) {
            runtime[i] = runtime[i].deinterleaved(axis: 0, groups: heads)
          }
        }
      }
    }
  }

  @Test("every rule, both ways, against plain arrays", arguments: ConversionFamily.known)
  func rules(family: ConversionFamily) throws {
    var random = TestRandom(UInt64(family.name.utf8.count))
    for converter in family.converters {
      for _ in 0..<3 {
        let sample = Sample(converter, &random)
        let hub = sample.hub.flatMap(\.self)
        let links = try #require(
          converter.arrangement.links(
            hub: sample.hub.map { $0.map(\.shape) }, runtime: sample.runtime.map(\.shape), heads: Self.heads),
          "\(family.name): \(converter.runtime)")
        for (i, grid) in sample.runtime.enumerated() {
          let blocks = links.filter { $0.runtime == i }.map {
            TensorBlock($0.runtimeBox, from: $0.hubBox, source: $0.hub)
          }
          try RearrangedTensorTests.expect(try RearrangedTensorTests.view(grid, hub, blocks), is: grid, &random)
        }
        for (i, grid) in hub.enumerated() {
          let blocks = links.filter { $0.hub == i }.map {
            TensorBlock($0.hubBox, from: $0.runtimeBox, source: $0.runtime)
          }
          try RearrangedTensorTests.expect(
            try RearrangedTensorTests.view(grid, sample.runtime, blocks), is: grid, &random)
        }
        let shapes = converter.arrangement.runtimeShapes(
          hub: sample.hub.map { $0.map(\.shape) }, runtime: converter.runtime.count)
        #expect(shapes == (converter.arrangement.isEven ? sample.runtime.map(\.shape) : nil))
        // A tensor too many rows long fits no more.
        var longer = sample.runtime.map(\.shape)
        longer[0][0] += 1
        #expect(
          converter.arrangement.links(hub: sample.hub.map { $0.map(\.shape) }, runtime: longer, heads: Self.heads)
            == nil)
      }
    }
  }

  @Test("the whole table is read: each family has a rule, each rule both sides")
  func table() {
    #expect(ConversionFamily.known.count > 140)
    for family in ConversionFamily.known {
      #expect(!family.names.isEmpty && !(family.renames.isEmpty && family.converters.isEmpty), "\(family.names)")
      for converter in family.converters {
        #expect(!converter.hub.isEmpty && !converter.runtime.isEmpty)
        #expect(!converter.arrangement.text(.toHub).isEmpty, "\(converter)")
      }
    }
    #expect(Set(ConversionFamily.known.flatMap(\.names)).isSuperset(of: ["mixtral", "qwen3_moe", "kimi_k25"]))
  }

  @Test("stacked experts of every family are found by names and shapes alone, both ways")
  func found() throws {
    var count = 0
    for family in ConversionFamily.known {
      guard let first = family.converters.first(where: \.arrangement.isStacked) else { continue }
      var random = TestRandom(UInt64(family.name.utf8.count))
      let sample = Sample(first, &random)
      var hub: [TensorInfo] = []
      for (pattern, grids) in zip(first.hub, sample.hub) {
        for (i, grid) in grids.enumerated() {
          let name = PartPattern.filled(pattern.text, with: [Substring(String(i))]).joined(separator: ".")
          hub.append(Self.info("model.layers.0.\(name)", grid.shape))
        }
      }
      let runtime = zip(first.runtime, sample.runtime).map { Self.info("model.layers.0.\($0)", $1.shape) }
      let norm = Self.info("model.norm.weight", [4])
      for (tuned, base) in [(hub, runtime), (runtime, hub)] {
        let match = try LayoutMatch.find(tuned: tuned + [norm], base: base + [norm], configs: Self.configs)
        #expect(match.rearranged.count == base.count, "\(family.name)")
        #expect(match.keys.onlyInBase.isEmpty && match.keys.onlyInTuned.isEmpty)
      }
      count += 1
    }
    #expect(count > 20)
  }

  static func info(_ name: String, _ shape: [Int]) -> TensorInfo {
    TensorInfo(name: name, dtype: .bf16, shape: shape, byteCount: 2 * shape.reduce(1, *))
  }
}
