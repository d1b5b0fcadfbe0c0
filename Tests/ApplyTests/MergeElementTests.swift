import PatchFormat
import TestModels
import Testing

@testable import Checkpoints

/// Every method on awkward tensors, bit for bit what the rules say, with both kernels.
@Suite("Merge, element by element") struct MergeElementTests {
  static let lengths = [0, 1, 2, 3, 7, 8, 15, 17, 129, 1023]
  static let methods: [(String, [Double])] = [
    ("sum", [1, 1, 1]), ("sum", [1, 0, 0]), ("sum", [0.7, -1.25, 3]), ("sum", [1, 0.5, 0]),
    ("sum toward-base=0.25", [1, 1, 0]), ("sum toward-base=1", [1, 1, 1]),
    ("linear", [1, 1, 1]), ("linear", [3, 1, -0.5]), ("linear", [0, 5, 0]), ("linear toward-base=0.5", [1, 2, 3]),
    ("ties density=0.5 lambda=1", [1, 1, 1]), ("ties density=0.3 lambda=0.9", [1, 2, 0.5]),
    ("ties density=1 lambda=1", [1, 1, 0]), ("ties density=0.01 lambda=1", [1, 0, 0]),
    ("ties density=0.8 lambda=1", [1, -1, 1]), ("ties density=0.6 lambda=1 toward-base=0.1", [1, 1, 1]),
    ("dare density=0.5 seed=7", [1, 1, 1]), ("dare density=0.5 seed=0", [0.5, 0.25, 1]),
    ("dare density=1 seed=1", [1, 0, 1]), ("dare density=0.1 seed=18446744073709551615", [1, 1, 0]),
    ("dare-ties density=0.5 lambda=1 seed=7", [1, 1, 1]), ("dare-ties density=0.5 lambda=1 seed=3", [0.5, 0.5, 1]),
    // Weights that overflow.
    ("dare density=0.1 seed=1", [1e308, 1, -1e308]), ("dare-ties density=0.1 lambda=1 seed=1", [1e308, 1, 1]),
    ("dare-ties density=0.9 lambda=1.5 seed=3 toward-base=0.3", [1, 2, 3]),
  ]
  static let arcs: [(String, [Double])] = [
    ("slerp", [1, 1]), ("slerp", [0.7, 0.3]), ("slerp", [0, 2]), ("slerp", [3, 0]), ("slerp toward-base=0.5", [1, 3]),
    ("slerp", [0x1p-1070, 1e300]),
  ]

  /// Tensors of every float dtype and length; siblings that change some elements a little, some to anything odd.
  /// - Parameter ordinary: the length of two more tensors, of which "calm" moves little and "apart" becomes another one.
  static func models(
    _ count: Int, lengths: [Int] = lengths, ordinary: Int = 200
  ) -> (base: [TestTensor], tuned: [[TestTensor]]) {
    var random = TestRandom(17)
    var base: [TestTensor] = []
    var tuned = [[TestTensor]](repeating: [], count: count)
    for format in ReferenceFormat.all {
      func element() -> UInt64 {
        random.next() % 4 == 0
          ? format.odd[Int(random.next() % UInt64(format.odd.count))] : format.rounded(Double(random.normal()) * 0.02)
      }
      for (kind, length) in lengths.map({ ("\($0)", $0) }) + [("calm", ordinary), ("apart", ordinary)] {
        let isCalm = kind == "calm" || kind == "apart"
        let name = "\(format.name).\(kind)"
        func calm() -> UInt64 { format.rounded(Double(random.normal())) }
        let elements = (0..<length).map { _ in isCalm ? calm() : element() }
        base.append(TestTensor(name, format.name, [length], bytes: elements.bytes(width: format.width)))
        for i in 0..<count {
          let changed = elements.map { old -> UInt64 in
            if kind == "apart" { return random.next() % 8 == 0 ? old : calm() }
            switch random.next() % 8 {
            case 0..<3: return old
            case 3..<7: return isCalm ? format.rounded(format.number(old) * 1.001) : old ^ (random.next() % 4)
            default: return isCalm ? calm() : element()
            }
          }
          // One of the siblings leaves some of the tensors alone.
          let isSame = i == 1 && (length == 17 || kind == "calm")
          tuned[i].append(
            TestTensor(name, format.name, [length], bytes: (isSame ? elements : changed).bytes(width: format.width)))
        }
      }
    }
    return (base, tuned)
  }

  private func check(_ siblings: Siblings, _ text: String, _ scales: [Double]) throws {
    let stack = try siblings.stack(MergeMethod(text: text), scales)
    let merges = try Kernel.allCases.filter(\.isSupported).map { ($0, try siblings.merge(stack, $0)) }
    for tensor in siblings.base.tensors {
      let format = ReferenceFormat.all.first { $0.name == tensor.info.dtype.name }!
      let base = try Self.elements(siblings.source(tensor.name)!, format)
      let members = try stack.members.filter { $0.scale != 0 }.map { member in
        let model = siblings.tuned[siblings.patches.firstIndex { $0.identity == member.identity }!]
        let tuned = try Self.elements(StoredTensor(model.tensor(named: tensor.name)!, in: model), format)
        return (member.identity, member.scale, tuned == base ? nil : tuned)
      }
      let expected = MergeReference(stack.method, members, format, base: base, name: tensor.name).result
      for (kernel, merge) in merges {
        guard merge.touched.contains(tensor.name) else {
          #expect(expected == base, "\(text) \(tensor.name)")
          continue
        }
        let found = try Self.elements(merge.source(tensor.name) { siblings.source($0) }, format)
        guard let i = found.indices.first(where: { found[$0] != expected[$0] }) else { continue }
        Issue.record(
          """
          \(text) \(scales), \(kernel), \(tensor.name)[\(i)]: \(String(found[i], radix: 16)), \
          not \(String(expected[i], radix: 16))
          """)
      }
    }
  }

  static func elements(_ source: any TensorSource, _ format: ReferenceFormat) throws -> [UInt64] {
    let bytes = try source.bytes()
    return stride(from: 0, to: bytes.count, by: format.width).map { start in
      bytes[start..<start + format.width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  @Test("every method with differences") func differences() throws {
    let (base, tuned) = Self.models(3)
    let siblings = try Siblings(base, tuned)
    for (text, scales) in Self.methods { try check(siblings, text, scales) }
  }

  @Test("SLERP, on the arc and on the line") func slerp() throws {
    let (base, tuned) = Self.models(2)
    let siblings = try Siblings(base, tuned)
    for (text, scales) in Self.arcs {
      for order in [scales, scales.reversed()] { try check(siblings, text, order) }
    }
  }
}
