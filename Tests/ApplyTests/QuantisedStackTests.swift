import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import ModelFiles

/// Stacks and moves of quantised weights: each unit whole from one side, or a refusal whose remedies work.
@Suite("Quantised weights in stacks") struct QuantisedStackTests {
  /// What a patch does to a unit.
  private enum Deed: UInt64, CaseIterable { case nothing, codes, state, both, same, dequantised }

  private struct Model {
    var base: [TestTensor] = []
    var tuned: [[TestTensor]] = []
    /// The names of each unit.
    var units: [[String]] = []
  }

  private static let floats = ["norm.weight", "norm.scale", "logit_scale", "plain.weight"]

  private static func model(_ random: inout TestRandom) -> Model {
    var model = Model()
    model.base = [
      .weights("norm.weight", [8]), .weights("norm.scale", [8]), .f32("logit_scale", [], [3]),
      TestTensor("plain.weight", "F8_E4M3", [16], bytes: (0..<16).map { 0x30 + $0 }),
    ]
    model.tuned = (0..<4).map { _ in
      model.base.map { random.next() % 2 == 0 ? $0 : $0.disturbed(&random) }
    }
    for place in 0..<2 {
      let unit = QuantisedFamily.all.randomElement(using: &random)!.make("layers.\(place).proj.", &random)
      model.units.append(unit.map(\.name))
      let common = unit.map { $0.disturbed(&random) }
      model.base += unit
      for i in model.tuned.indices {
        let deed = Deed(rawValue: random.next() % 12) ?? .nothing
        model.tuned[i] += made(unit, deed, common, &random)
      }
    }
    return model
  }

  private static func made(
    _ unit: [TestTensor], _ deed: Deed, _ common: [TestTensor], _ random: inout TestRandom
  ) -> [TestTensor] {
    let part = 1 + Int(random.next() % UInt64(unit.count - 1))
    switch deed {
    case .nothing: return unit
    case .codes: return [unit[0].disturbed(&random)] + unit.dropFirst()
    case .state: return unit.indices.map { $0 == part ? unit[$0].disturbed(&random) : unit[$0] }
    case .both: return unit.map { $0.disturbed(&random) }
    case .same: return common
    case .dequantised: return [.weights(unit[0].name, [3, 4], seed: random.next() % 3)]
    }
  }

  /// The rule, as plainly as it can be written: the unit as the stack makes it; nil where the stack is refused.
  private func expected(
    _ unit: [String], _ model: Model, _ stack: [(patch: Int, scale: Double)], _ method: MergeMethod
  ) -> [TestTensor?]? {
    func side(_ tensors: [TestTensor]) -> [TestTensor?] { unit.map { name in tensors.first { $0.name == name } } }
    let base = side(model.base)
    let members = stack.filter { $0.scale != 0 }
    let contributors = members.filter { side(model.tuned[$0.patch]) != base }
    guard let first = contributors.first else { return base }
    let made = side(model.tuned[first.patch])
    guard contributors.allSatisfy({ side(model.tuned[$0.patch]) == made }), method.towardBase == 0 else { return nil }
    let isMean = method.kind == .linear || method.kind == .slerp
    guard isMean ? contributors.count == members.count : contributors.allSatisfy({ $0.scale == 1 }) else { return nil }
    let isComputed = zip(base, made).contains { a, b in
      a != b && a?.dtype == b?.dtype && a?.shape == b?.shape
        && ReferenceFormat.all.contains { $0.name == a?.dtype }
    }
    guard isComputed else { return made }
    let keepsAll = method.kind == .sum || isMean || (method.kind == .dare && method.density == 1)
    return contributors.count == 1 && keepsAll ? made : nil
  }

  private static func method(_ random: inout TestRandom) throws -> MergeMethod {
    let kinds: [MergeMethod.Kind] = [.sum, .sum, .sum, .linear, .ties, .dare, .dareTies, .slerp]
    let kind = kinds.randomElement(using: &random)!
    let towardBase = [0, 0, 0, 0.5, 1].randomElement(using: &random)!
    switch kind {
    case .ties, .dare, .dareTies:
      return try MergeMethod(kind, density: [1, 0.5].randomElement(using: &random)!, towardBase: towardBase)
    default: return try MergeMethod(kind, towardBase: towardBase)
    }
  }

  @Test("by chance: units, members, scales, methods, orders", arguments: 0..<16)
  func property(_ seed: UInt64) throws {
    var random = TestRandom(seed + 100)
    let model = Self.model(&random)
    let used = model.tuned.indices.filter { model.tuned[$0] != model.base }
    let siblings = try Siblings(model.base, used.map { model.tuned[$0] })
    var taken = 0
    for _ in 0..<30 {
      let method = try Self.method(&random)
      let count = method.kind == .slerp ? 2 : 1 + Int(random.next() % 3)
      let chosen = used.indices.shuffled(using: &random).prefix(count)
      guard chosen.count == count else { continue }
      let scaled = chosen.map { (patch: $0, scale: [1, 1, 1, 1, 0.5, 0, -2].randomElement(using: &random)!) }
      guard
        let stack = try? StackDefinition(
          base: siblings.patches[0].header.baseRoot, method: method,
          members: scaled.map { .init(siblings.patches[$0.patch].identity, scale: $0.scale) })
      else { continue }
      // Where one scale of a SLERP is 0, the other patch alone takes part.
      let results = model.units.map { expected($0, model, scaled.map { (used[$0.patch], $0.scale) }, method) }
      let told = "seed \(seed): \(method.text) \(scaled) \(model.units)"
      guard results.allSatisfy({ $0 != nil }) else {
        let error = #expect(throws: VPatchError.self, "\(told)") { try siblings.merge(stack) }
        #expect(error?.code == .refused && error?.remedy != nil)
        continue
      }
      taken += 1
      let merge = try siblings.merge(stack)
      for (unit, result) in zip(model.units, results) {
        for (name, tensor) in zip(unit, result!) {
          let isTouched = merge.touched.contains(name)
          let info = isTouched ? merge.target(name) : model.base.first { $0.name == name }?.info
          #expect(info == tensor?.info, "\(told) \(name)")
          guard isTouched, let tensor else { continue }
          #expect(try siblings.bytes(merge, name) == tensor.bytes, "\(told) \(name)")
        }
      }
      try expectBitsOfBefore(siblings, merge, model, told)
    }
    #expect(taken > 0)
  }

  /// What is taken has the bits that it had before units were known: of floats those of the plain rules.
  private func expectBitsOfBefore(_ siblings: Siblings, _ merge: Merge, _ model: Model, _ told: String) throws {
    for name in merge.touched {
      let base = try #require(model.base.first { $0.name == name })
      guard let tensor = merge.tensor(name), tensor.isMergeable else { continue }
      let format = try #require(ReferenceFormat.all.first { $0.name == base.dtype })
      let elements = try MergeElementTests.elements(siblings.source(name)!, format)
      let members = try merge.definition.members.filter { $0.scale != 0 }.map { member in
        let tuned = siblings.tuned[siblings.patches.firstIndex { $0.identity == member.identity }!]
        let source = StoredTensor(try #require(tuned.tensor(named: name)), in: tuned)
        let changed = try MergeElementTests.elements(source, format)
        return (member.identity, member.scale, changed == elements ? nil : changed)
      }
      let expected = MergeReference(merge.definition.method, members, format, base: elements, name: name).result
      let found = try MergeElementTests.elements(merge.source(name) { siblings.source($0) }, format)
      #expect(found == expected, "\(told) \(name)")
    }
  }

  // MARK: Refusals and their ways out

  private static let q = "layers.0.q_proj.weight"
  private static let base = [
    TestTensor(q, "F8_E4M3", [8], bytes: (0..<8).map { 0x30 + $0 }), .f32(q + "_scale_inv", [1, 1], [0.5]),
    .weights("norm.weight", [8]),
  ]
  private static func tuned(_ codes: UInt8, _ scale: Float, norm: UInt64? = nil) -> [TestTensor] {
    [
      TestTensor(q, "F8_E4M3", [8], bytes: (0..<8).map { (0x30 + $0) ^ codes }),
      .f32(q + "_scale_inv", [1, 1], [scale]), norm.map { base[2].tuned(seed: $0) } ?? base[2],
    ]
  }

  private func error(_ siblings: Siblings, _ method: String, _ scales: [Double]) throws -> String {
    let stack = try siblings.stack(MergeMethod(text: method), scales)
    let error = #expect(throws: VPatchError.self) { try siblings.merge(stack) }
    #expect(error?.code == .refused)
    return "\(error!)".replacingOccurrences(of: siblings.folder.path + "/", with: "")
  }

  private func isTaken(_ siblings: Siblings, _ method: String, _ members: [(Int, Double)]) throws -> Bool {
    let stack = try StackDefinition(
      base: siblings.patches[0].header.baseRoot, method: MergeMethod(text: method),
      members: members.map { .init(siblings.patches[$0.0].identity, scale: $0.1) })
    let merge = try siblings.merge(stack)
    let tuned = try siblings.tuned[members[0].0].testTensors()
    return try siblings.bytes(merge, Self.q) == tuned[Self.q].bytes
  }

  @Test("two patches of one weight: either alone, or both of the dequantised model") func together() throws {
    let pair = try Siblings(Self.base, [Self.tuned(1, 0.25), Self.tuned(2, 0.5, norm: 1)])
    let words = try error(pair, "sum", [1, 1])
    #expect(words.contains("the quantised weight \"\(Self.q)\""))
    #expect(words.contains("0.vpatch") && words.contains("1.vpatch"))
    #expect(
      words.hasSuffix("leave one of the two patches out, or combine patches of the dequantised model"))
    #expect(try isTaken(pair, "sum", [(0, 1)]) && isTaken(pair, "sum", [(1, 1)]))
    let numbers = try Siblings([.weights(Self.q, [8])], [1, 2].map { [.weights(Self.q, [8]).tuned(seed: $0)] })
    #expect(try !numbers.bytes(numbers.stack(.sum, [1, 0.5])).isEmpty)

    let parts = try Siblings(Self.base, [Self.tuned(1, 0.5), Self.tuned(0, 0.25)])
    #expect(
      try error(parts, "sum", [1, 1]).contains("changes \"\(Self.q)_scale_inv\", which is part of the quantised"))
    #expect(try parts.merge(parts.stack(.sum, [1, 0])).touched == [Self.q])
  }

  @Test("the same of two patches: one of them alone") func same() throws {
    let pair = try Siblings(Self.base, [Self.tuned(1, 0.25), Self.tuned(1, 0.25, norm: 1)])
    let words = try error(pair, "sum", [1, 1])
    #expect(words.contains("both make the same change to the quantised weight"))
    #expect(words.hasSuffix("leave all but one of them out"))
    #expect(try isTaken(pair, "sum", [(1, 1)]))
  }

  @Test("scales, means, and the way to the base") func scaled() throws {
    let pair = try Siblings(Self.base, [Self.tuned(1, 0.25), Self.tuned(0, 0.5, norm: 1)])
    #expect(
      try error(pair, "sum", [0.5, 1])
        == "0.vpatch: cannot be scaled by 0.5: it changes the quantised weight \"\(Self.q)\", and codes cannot "
        + "be scaled; give it the scale 1")
    #expect(try error(pair, "sum toward-base=0.5", [1, 1]).hasSuffix("which has no middle; give --toward-base 0"))
    #expect(
      try error(pair, "linear", [0.5, 0.5])
        == "1.vpatch: conflicts with 0.vpatch in the method linear: that one changes the quantised weight "
        + "\"\(Self.q)\", this one does not, and codes and scales cannot be averaged; use the method sum, and give "
        + "0.vpatch the scale 1")
    for method in ["ties", "dare", "dare-ties", "ties density=1"] {
      #expect(
        try error(pair, method, [1, 0.5])
          == "0.vpatch: cannot be used with the method \(method.split(separator: " ")[0]): it changes the quantised "
          + "weight \"\(Self.q)\", of which the method keeps only a part; use the method sum")
    }
    #expect(try isTaken(pair, "sum", [(0, 1), (1, 0.5)]) && isTaken(pair, "dare density=1", [(0, 1), (1, 0.5)]))
  }

  // MARK: Rebase

  private func moved(_ siblings: Siblings, _ new: [TestTensor]) throws -> [TestTensor] {
    let model = try SafetensorsCheckpoint(path: siblings.folder.file("new", new))
    _ = try Rebase(siblings.patches[0], from: siblings.base, onto: model, WorkOptions(threads: 1))
      .write(to: siblings.folder["moved.vpatch"], name: nil, replacing: true)
    let patch = try Patch(path: siblings.folder["moved.vpatch"])
    _ = try Rebuild(model, [PatchStep(patch, .forward)], WorkOptions(threads: 1))
      .write(to: siblings.folder["moved"], force: true)
    return try siblings.folder.testTensors("moved")
  }

  @Test("a unit is moved whole, or not at all") func rebase() throws {
    let changes = [Self.tuned(1, 0.25, norm: 1), Self.tuned(1, 0.5), Self.tuned(0, 0.25)]
    for change in changes {
      let siblings = try Siblings(Self.base, [change])
      // The unit is the same in both: the patch's own bits, beside floats that moved.
      let result = try moved(siblings, Self.base.replacing(Self.base[2].tuned(seed: 9)))
      #expect(result[Self.q] == change[0] && result[Self.q + "_scale_inv"] == change[1])
      for other in [Self.tuned(2, 0.5), Self.tuned(0, 0.75), Self.tuned(2, 0.75)] {
        let error = #expect(throws: VPatchError.self) { try moved(siblings, other) }
        #expect(error?.code == .refused && error?.remedy == "create the patch from that base")
        #expect(error?.reason.contains("codes and scales have no difference to add") == true)
      }
      // Another base's codes may have scales where this one's have none.
      guard change[0] != Self.base[0] else { continue }
      let plain = try Siblings([Self.base[0], Self.base[2]], [[change[0], change[2]]])
      #expect(throws: VPatchError.self) { try moved(plain, Self.base) }
    }
    // A patch of norms alone is moved to a base of other codes; the remedy is another patch.
    let norms = try Siblings(Self.base, [Self.tuned(0, 0.5, norm: 1)])
    #expect(try moved(norms, Self.tuned(2, 0.75))[Self.q] == Self.tuned(2, 0.75)[0])
    let anew = try Siblings(Self.tuned(2, 0.75), [Self.tuned(1, 0.25)])
    #expect(try isTaken(anew, "sum", [(0, 1)]))
  }

  @Test("float8 beside no scale is a number, but where the config calls the model quantised") func config() throws {
    let folder = try TestFolder()
    let plain = TestTensor("v.weight", "F8_E4M3", [8], bytes: (0..<8).map { 0x30 + $0 })
    let work = WorkOptions(threads: 1)
    func patches(_ base: SafetensorsCheckpoint) throws -> [Patch] {
      try (1...2).map { i in
        var tuned = plain
        tuned.bytes[i] ^= 1
        try folder.file("tuned", [tuned])
        _ = try Create(
          base: base, tuned: SafetensorsCheckpoint(path: folder["tuned"]), options: CreateOptions(), work: work
        ).write(to: folder["\(i).vpatch"], replacing: true)
        return try Patch(path: folder["\(i).vpatch"])
      }
    }
    try folder.file("base", [plain])
    let both = try patches(SafetensorsCheckpoint(path: folder["base"]))
    func step(_ model: String, _ members: [(Patch, Double)]) throws -> [PatchStep] {
      try [PatchStep].stack(
        StackDefinition(members.map { (patch: $0.0, scale: $0.1) }, method: .sum), name: nil,
        over: ModelView(SafetensorsCheckpoint(path: folder[model])),
        OpenPatches(both, undoPath: nil, scratchBeside: folder["scratch"]), work)
    }
    #expect(try step("base", [(both[0], 1), (both[1], 1)]).count == 1)
    try folder.directory("plain", [plain], files: ["config.json": "{\"model_type\": \"llama\"}"])
    try folder.directory(
      "quantised", [plain], files: ["config.json": "{\"quantization_config\": {\"quant_method\": \"fp8\"}}"])
    // The remedies: the key taken out, and one patch at scale 1.
    #expect(try step("plain", [(both[0], 1), (both[1], 1)]).count == 1)
    #expect(try step("quantised", [(both[0], 1)]).count == 1)
    let error = #expect(throws: VPatchError.self) { try step("quantised", [(both[0], 1), (both[1], 1)]) }
    #expect(error?.code == .refused && error?.reason.contains("(fp8)") == true)
    #expect(error?.reason.contains("\"v.weight\"") == true)

    // Moved to another base, too.
    var other = plain
    other.bytes[7] ^= 2
    try folder.file("other", [other])
    try folder.directory(
      "other-quantised", [other], files: ["config.json": "{\"quantization_config\": {\"quant_method\": \"fp8\"}}"])
    func move(_ onto: String) throws {
      _ = try Rebase(
        both[0], from: SafetensorsCheckpoint(path: folder["base"]), onto: SafetensorsCheckpoint(path: folder[onto]),
        work
      ).write(to: folder["moved.vpatch"], name: nil, replacing: true)
    }
    try move("other")
    let refused = #expect(throws: VPatchError.self) { try move("other-quantised") }
    #expect(refused?.code == .refused && refused?.reason.contains("codes have no difference to add") == true)
  }

  @Test("a stack that an earlier version made reverts, and is made no more") func earlier() throws {
    let pair = try Siblings(Self.base, [Self.tuned(1, 0.25), Self.tuned(2, 0.125)])
    let work = WorkOptions(threads: 1)
    let stack = try pair.stack(.sum, [1, 1])
    // What that version made of it.
    let sum = try SafetensorsCheckpoint(path: pair.folder.file("sum", Self.tuned(3, 0.75)))
    _ = try Create(base: pair.base, tuned: sum, options: CreateOptions(), work: work)
      .write(to: pair.folder["composite.vpatch"])
    let composite = try Patch(path: pair.folder["composite.vpatch"])
    let record = StackRecord(name: "old", stack, patches: pair.patches)
    _ = try Rebuild(pair.base, [PatchStep(composite, .forward, stack: record)], work).write(to: pair.folder["model"])
    let library = Kept(patches: pair.patches + [composite], composite: composite)
    let change = try ModelChange(SafetensorsCheckpoint(path: pair.folder["model"]), library, work)
    _ = try Rebuild(change.model, change.stepsToBase(), work).write(to: pair.folder["back"])
    #expect(try pair.folder.bytes("back") == pair.folder.bytes("base"))
    // Without one of the two it is a stack that is taken.
    let rest = try change.steps(without: pair.patches[0].identity, called: "one")
    _ = try Rebuild(change.model, rest, work).write(to: pair.folder["one"])
    #expect(try pair.folder.testTensors("one")[Self.q] == Self.tuned(2, 0.125)[0])
    let error = #expect(throws: VPatchError.self) {
      try [PatchStep].stack(stack, name: "old", over: ModelView(pair.base), library, work)
    }
    #expect(error?.code == .refused)
  }

  /// A library with a composite that is not to be made again.
  private struct Kept: PatchLibrary {
    let patches: [Patch]
    let composite: Patch

    func patch(_ identity: ContentDigest) throws -> Patch { try #require(patches.first { $0.identity == identity }) }
    func composite(of stack: StackDefinition) -> Patch? { composite }
    func keepComposite(of stack: StackDefinition, making make: (String, Bool) throws -> Void) throws -> Patch {
      Issue.record("nothing is to be made")
      return composite
    }
  }
}
