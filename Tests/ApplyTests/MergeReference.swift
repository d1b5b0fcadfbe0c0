import PatchFormat

@testable import Apply
@testable import Base

/// The rules of spec/stacks.md, section 5, one element after the other, as plainly as they can be written. It shares
/// no code with the engine but SHA-256.
struct MergeReference {
  typealias Member = (identity: ContentDigest, scale: Double, tuned: [UInt64]?)
  private typealias Contributor = (weight: Double, key: UInt64, tuned: [UInt64])

  private let method: MergeMethod
  private let members: [Member]
  private let format: ReferenceFormat
  private let base: [UInt64]
  private let contributors: [Contributor]

  /// - Parameter members: those that take part, in ascending order of identity, with what they make of the tensor; nil
  ///   where they do not touch it.
  init(_ method: MergeMethod, _ members: [Member], _ format: ReferenceFormat, base: [UInt64], name: String) {
    var (method, members) = (method, members)
    if method.kind == .slerp {
      let t = members.count == 1 ? 0 : members[1].scale / (members[0].scale + members[1].scale)
      if t == 0 { members = [members[0]] } else if t == 1 { members = [members[1]] }
      if members.count == 1 { method = try! MergeMethod(.linear, towardBase: method.towardBase) }
    }
    self.method = method
    self.members = members
    self.format = format
    self.base = base
    var total = 0.0
    for member in members { total += member.scale }
    contributors = members.compactMap { member in
      guard let tuned = member.tuned else { return nil }
      let weight =
        switch method.kind {
        case .linear: member.scale / total
        case .dare, .dareTies: member.scale / method.density!
        default: member.scale
        }
      let text =
        Array("vpatch.dare.1\n".utf8) + [UInt8](littleEndian: method.seed ?? 0) + member.identity.bytes
        + Array(name.utf8)
      var key: UInt64 = 0
      for byte in SHA256Hasher.hash(text).bytes.prefix(8).reversed() { key = key * 256 + UInt64(byte) }
      return (weight, key, tuned)
    }
  }

  var result: [UInt64] {
    let rest = 1 - method.towardBase
    if rest == 0 || members.allSatisfy({ $0.tuned == nil }) { return base }
    switch method.kind {
    case .sum, .linear, .dare: return base.indices.map { added($0, rest) }
    case .ties, .dareTies:
      let kept = contributors.map { keptDifferences($0) }
      return base.indices.map { elected($0, kept, rest) }
    case .slerp: return between(rest)
    }
  }

  private func difference(_ contributor: Contributor, _ i: Int) -> Double {
    contributor.tuned[i] == base[i] ? 0 : format.number(contributor.tuned[i]) - format.number(base[i])
  }

  private func isKept(_ contributor: Contributor, _ i: Int) -> Bool {
    guard method.kind == .dare || method.kind == .dareTies else { return true }
    var z = contributor.key &+ (UInt64(i) + 1) &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    z = z ^ (z >> 31)
    return Double(z >> 11) * 0x1p-53 < method.density!
  }

  private func added(_ i: Int, _ rest: Double) -> UInt64 {
    let taking = contributors.filter { $0.tuned[i] != base[i] && isKept($0, i) }
    if taking.isEmpty { return base[i] }
    if taking.count == 1, taking[0].weight == 1, rest == 1 { return taking[0].tuned[i] }
    var sum = 0.0
    for contributor in taking {
      let product = contributor.weight * difference(contributor, i)
      sum = sum + product
    }
    let moved = rest * sum
    return format.rounded(format.number(base[i]) + moved)
  }

  /// 0 where a difference is not kept.
  private func keptDifferences(_ contributor: Contributor) -> [Double] {
    let all = base.indices.map { isKept(contributor, $0) ? difference(contributor, $0) : 0 }
    guard method.kind == .ties, method.density! < 1 else { return all }
    func precedes(_ a: Int, _ b: Int) -> Bool {
      let (x, y) = (abs(all[a]), abs(all[b]))
      if x.isNaN || y.isNaN { return x.isNaN && y.isNaN ? a < b : x.isNaN }
      return x == y ? a < b : x > y
    }
    let order = all.indices.sorted(by: precedes)
    let kept = Set(order.prefix(max(1, Int(method.density! * Double(all.count)))))
    return all.indices.map { kept.contains($0) ? all[$0] : 0 }
  }

  private func elected(_ i: Int, _ kept: [[Double]], _ rest: Double) -> UInt64 {
    var vote = 0.0
    func share(_ k: Int) -> Double { kept[k][i] == 0 ? 0 : contributors[k].weight * kept[k][i] }
    for k in contributors.indices { vote += share(k) }
    let taking = contributors.indices.filter { k in
      let share = share(k)
      return vote.isNaN ? share != 0 : vote >= 0 ? share > 0 : share < 0
    }
    if taking.isEmpty { return base[i] }
    if taking.count == 1, method.lambda == 1, rest == 1, method.kind == .ties || contributors[taking[0]].weight == 1 {
      return contributors[taking[0]].tuned[i]
    }
    var sum = 0.0
    var weights = 0.0
    for k in taking {
      sum += share(k)
      weights += contributors[k].weight
    }
    if method.kind == .ties { sum = taking.count == 1 ? kept[taking[0]][i] : weights == 0 ? sum : sum / weights }
    sum = method.lambda! * sum
    let moved = rest * sum
    return format.rounded(format.number(base[i]) + moved)
  }

  private func between(_ rest: Double) -> [UInt64] {
    let t = members[1].scale / (members[0].scale + members[1].scale)
    let (a, b) = (members[0].tuned ?? base, members[1].tuned ?? base)
    func sum(_ x: [UInt64], _ y: [UInt64]) -> Double {
      var l = [Double](repeating: 0, count: 8)
      for i in x.indices { l[i % 8] += format.number(x[i]) * format.number(y[i]) }
      return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
    }
    let c = sum(a, b) / (sum(a, a).squareRoot() * sum(b, b).squareRoot())
    let isOnArc = sum(a, a).isFinite && sum(b, b).isFinite && c >= -0.9995 && c <= 0.9995
    var (u, v) = (1 - t, t)
    if isOnArc {
      let angle = ExactMath.acos(c)
      u = ExactMath.sin((1 - t) * angle) / ExactMath.sin(angle)
      v = ExactMath.sin(t * angle) / ExactMath.sin(angle)
    }
    return base.indices.map { i in
      let isSame = !isOnArc && a[i] == b[i]
      if isSame, rest == 1 || a[i] == base[i] { return a[i] }
      let (x, y) = (u * format.number(a[i]), v * format.number(b[i]))
      let value = isSame ? format.number(a[i]) : x + y
      let back = format.number(base[i])
      return format.rounded(rest == 1 ? value : back + rest * (value - back))
    }
  }
}

/// A dtype's numbers, found by searching among all of them.
struct ReferenceFormat {
  let name: String
  let width: Int
  private let mantissa: Int
  private let bias: Int
  /// The codes from 0 up to the first that is no finite number, as numbers; that one as what would come next.
  private let ascending: [Double]

  static let all = ["F64", "F32", "F16", "BF16", "F8_E5M2", "F8_E4M3"].map(ReferenceFormat.init)

  init(_ name: String) {
    self.name = name
    (width, mantissa, bias) =
      switch name {
      case "F16": (2, 10, 15)
      case "BF16": (2, 7, 127)
      case "F8_E5M2": (1, 2, 15)
      case "F8_E4M3": (1, 3, 7)
      case "F32": (4, 23, 127)
      default: (8, 52, 1023)
      }
    let (mantissa, bias) = (mantissa, bias)
    let codes = width > 2 ? 0 : name == "F8_E4M3" ? 0x80 : 1 << (8 * width - 1) - 1 << mantissa + 1
    ascending = (0..<codes).map { code in
      let (exponent, fraction) = (code >> mantissa, code % (1 << mantissa))
      let lead = exponent == 0 ? 0.0 : 1.0
      return (lead + Double(fraction) / Double(1 << mantissa))
        * Double(sign: .plus, exponent: max(exponent, 1) - bias, significand: 1)
    }
  }

  var signBit: UInt64 { 1 << UInt64(8 * width - 1) }

  func number(_ code: UInt64) -> Double {
    switch name {
    case "F64": return Double(bitPattern: code)
    case "F32": return Double(Float(bitPattern: UInt32(code)))
    default:
      let index = Int(code & ~signBit)
      let size =
        index < ascending.count - 1 ? ascending[index] : index == ascending.count - 1 && hasInfinity ? .infinity : .nan
      return code & signBit == 0 ? size : -size
    }
  }

  /// The largest finite number.
  var largest: Double { number(hasInfinity ? signBit - (1 << UInt64(mantissa)) - 1 : 0x7E) }

  private var hasInfinity: Bool { name != "F8_E4M3" }

  func rounded(_ value: Double) -> UInt64 {
    if name == "F64" { return value.isNaN ? 0x7FF8 << 48 : value.bitPattern }
    if name == "F32" { return value.isNaN ? 0x7FC0_0000 : UInt64(Float(value).bitPattern) }
    if value.isNaN { return nan }
    let sign = value.sign == .minus ? signBit : 0
    let size = abs(value)
    var (low, high) = (0, ascending.count - 1)
    if size >= ascending[high] { return hasInfinity ? UInt64(high) | sign : nan }
    while high - low > 1 {
      let middle = (low + high) / 2
      if ascending[middle] <= size { low = middle } else { high = middle }
    }
    let half = (ascending[low] + ascending[high]) / 2
    let code = size < half || (size == half && low % 2 == 0) ? low : high
    return code == ascending.count - 1 && !hasInfinity ? nan : UInt64(code) | sign
  }

  private var nan: UInt64 { hasInfinity ? UInt64(ascending.count - 1) | 1 << UInt64(mantissa - 1) : 0x7F }

  /// Bits worth a test: zeros, subnormals, the ends of the normals, infinities, NaNs, one and its neighbours.
  var odd: [UInt64] {
    let first = 1 << UInt64(mantissa) as UInt64
    let infinity = hasInfinity ? signBit - first : 0x7F
    let unit = UInt64(bias) << UInt64(mantissa)
    let sizes = [
      0, 1, 2, first - 1, first, first + 1, infinity - 1, infinity, min(infinity + 1, signBit - 1), signBit - 1,
      unit - 1, unit, unit + 1,
    ]
    return sizes + sizes.map { $0 | signBit }
  }
}
