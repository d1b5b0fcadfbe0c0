// The member "low_rank" of a tensor's entry (spec, section 3.5):
//
//   {"rank": r, "rounding": "sum" or "change", "scale": 16 hexadecimal digits, the bits of a float64,
//    "u": [tensor, offset, slice, row, k], "v": [tensor, offset, slice, column, k]}

import Base
import Checkpoints

extension LowRank {
  var json: JSON {
    func view(_ view: View) -> JSON {
      .array([view.tensor, view.offset, view.slice, view.line, view.rank].map { JSON($0) })
    }
    return .dictionary([
      "rank": JSON(rank), "rounding": .string(roundsChange ? "change" : "sum"), "scale": .string(scaleBits),
      "u": view(u), "v": view(v),
    ])
  }

  private var scaleBits: String {
    let digits = String(scale.bitPattern, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// - Throws: `Malformed`. Whether the factors exist is checked later, by `problem`.
  init(parsing json: JSON, _ owner: String) throws {
    let members = try ObjectReader<Malformed>(json, of: "the factors of \(owner)")
    rank = try members.int("rank")
    switch try members.string("rounding") {
    case "sum": roundsChange = false
    case "change": roundsChange = true
    default: throw Malformed("has an unknown rounding of \(owner)")
    }
    let digits = try members.string("scale")
    guard digits.utf8.count == 16, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 || 0x61...0x66 ~= $0 }),
      let bits = UInt64(digits, radix: 16)
    else { throw Malformed("has an invalid scale of \(owner)") }
    scale = Double(bitPattern: bits)
    func view(_ key: String) throws -> View {
      let numbers = try members.list(key).map(\.int)
      guard numbers.count == 5, numbers.allSatisfy({ $0.map { $0 <= Limits.number } ?? false }) else {
        throw Malformed("has an invalid factor of \(owner)")
      }
      let n = numbers.map { $0! }
      return View(tensor: n[0], offset: n[1], slice: n[2], line: n[3], rank: n[4])
    }
    u = try view("u")
    v = try view("v")
    try members.finish()
  }
}
