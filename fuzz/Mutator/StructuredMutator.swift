import Base

/// Changes a patch where a reader would not look twice: inside its header, annex, chunks and annotations, with the
/// digests made right again, so that what is behind them is reached. Everything follows from the seed.
package struct StructuredMutator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// SplitMix64 (Steele, Lea and Flood).
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ n: Int) -> Int { n <= 1 ? 0 : Int(next() % UInt64(n)) }

  /// A few flipped, inserted, deleted, copied or interesting bytes.
  package mutating func bytes(_ input: [UInt8]) -> [UInt8] {
    var bytes = input
    for _ in 0...below(4) {
      let at = below(bytes.count)
      switch below(6) {
      case 0 where !bytes.isEmpty: bytes[at] ^= 1 << UInt8(below(8))
      case 1 where !bytes.isEmpty: bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][below(5)]
      case 2: bytes.insert(UInt8(truncatingIfNeeded: next()), at: at)
      case 3 where !bytes.isEmpty: bytes.removeSubrange(at..<min(at + 1 + below(8), bytes.count))
      case 4 where !bytes.isEmpty:
        let from = below(bytes.count)
        bytes.insert(contentsOf: Array(bytes[from..<min(from + 1 + below(16), bytes.count)]), at: at)
      default:
        if !bytes.isEmpty { bytes[at] = UInt8(truncatingIfNeeded: next()) }
      }
    }
    return bytes
  }

  /// JSON text with its tokens changed: numbers at limits, members and elements dropped, doubled, swapped.
  package mutating func json(_ text: [UInt8]) -> [UInt8] {
    if below(8) == 0 { return bytes(text) }
    guard let json = try? JSON.parse(text) else { return bytes(text) }
    var budget = 1 + below(2)
    var count = 0
    Self.count(json, &count)
    var target = below(count)
    let changed = change(json, &target, &budget)
    return below(16) == 0 ? Array(changed.pretty().utf8) : changed.canonical()
  }

  private static func count(_ json: JSON, _ n: inout Int) {
    n += 1
    for element in json.array ?? [] { count(element, &n) }
    for member in json.object ?? [] { count(member.value, &n) }
  }

  private static let numbers: [UInt64] = [
    0, 1, 2, 3, 7, 8, 31, 32, 255, 256, 4095, 4096, 65535, 1 << 20, 1 << 22, 1 << 22 + 1, 1 << 26, 1 << 31, 1 << 32,
    1 << 53 - 1, 1 << 53, 1 << 62, 1 << 63, .max,
  ]
  private static let strings = [
    "", ".", "..", "__metadata__", "same", "change", "rows", "add", "remove", "replace", "d", "b", "t", "BF16", "F32",
    "U8", "X9", "model.safetensors", "../x.safetensors", "vpatch", "\u{0}", "\u{600}.safetensors",
  ]

  /// Changes the value that `target` counts down to.
  private mutating func change(_ json: JSON, _ target: inout Int, _ budget: inout Int) -> JSON {
    defer { target -= 1 }
    if target == 0, budget > 0 {
      budget -= 1
      return replacement(json)
    }
    switch json {
    case .array(let elements):
      var result: [JSON] = []
      for element in elements {
        target -= 1
        result.append(target == 0 ? replacement(element) : descend(element, &target, &budget))
      }
      return .array(result)
    case .object(let members):
      var result: [JSON.Member] = []
      for member in members {
        target -= 1
        result.append(
          JSON.Member(member.key, target == 0 ? replacement(member.value) : descend(member.value, &target, &budget)))
      }
      return .object(result)
    default: return json
    }
  }

  private mutating func descend(_ json: JSON, _ target: inout Int, _ budget: inout Int) -> JSON {
    guard json.array != nil || json.object != nil else { return json }
    target += 1
    return change(json, &target, &budget)
  }

  private mutating func replacement(_ json: JSON) -> JSON {
    switch json {
    case .integer(let n):
      switch below(4) {
      case 0: return .integer(n &+ 1)
      case 1: return .integer(n &- 1)
      case 2: return .integer(Self.numbers[below(Self.numbers.count)])
      default: return .integer(next() >> UInt64(below(64)))
      }
    case .string: return .string(Self.strings[below(Self.strings.count)])
    case .array(var elements):
      guard !elements.isEmpty else { return .array([.integer(next() >> UInt64(below(64)))]) }
      switch below(4) {
      case 0: elements.remove(at: below(elements.count))
      case 1: elements.append(elements[below(elements.count)])
      case 2: elements.swapAt(below(elements.count), below(elements.count))
      default: elements[below(elements.count)] = [.null, .integer(0), .array([]), .string("x")][below(4)]
      }
      return .array(elements)
    case .object(var members):
      guard !members.isEmpty else { return .object([JSON.Member("x", .null)]) }
      switch below(3) {
      case 0: members.remove(at: below(members.count))
      case 1: members.append(JSON.Member(Self.strings[below(Self.strings.count)], .integer(next())))
      default: members[below(members.count)] = JSON.Member(members[below(members.count)].key, .array([]))
      }
      return .object(members)
    default: return .integer(Self.numbers[below(Self.numbers.count)])
    }
  }

  /// A patch with one thing in it changed and, mostly, all digests right.
  package mutating func patch(_ file: [UInt8]) -> [UInt8] {
    guard below(16) > 0, var parts = PatchParts(file) else { return bytes(file) }
    switch below(10) {
    case 0...2: parts.header = json(parts.header)
    case 3...6: parts.changeChunk(&self)
    case 7: parts.changeAnnex(&self)
    case 8: parts.annotations = below(2) == 0 ? json(parts.annotations) : bytes(parts.annotations)
    default: parts.preamble = bytes(parts.preamble)
    }
    if below(8) > 0 { parts.repairRoots() }
    return parts.assembled(repairing: below(16) > 0)
  }
}
