import Base

/// How the patches of a stack are merged into one change (spec/stacks.md, section 3).
package struct MergeMethod: Hashable, Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    /// Task arithmetic: base + Σ scale · (tuned − base).
    case sum
    /// The mean of the tuned models, weighted by the scales.
    case linear
    /// TIES: the largest changes of each patch, where their sign agrees with the majority.
    case ties
    /// DARE: drops changes at random and scales up the others.
    case dare
    /// Drops changes like DARE, then elects signs like TIES.
    case dareTies = "dare-ties"
    /// Spherical interpolation between two tuned models. The scales set the position.
    case slerp

    package var hasDensity: Bool { self == .ties || self == .dare || self == .dareTies }
    package var hasLambda: Bool { self == .ties || self == .dareTies }
    package var hasSeed: Bool { self == .dare || self == .dareTies }
  }

  package let kind: Kind
  /// The share of each patch's changes that is kept, in (0, 1]; nil where the method has no density.
  package let density: Double?
  /// Factor of the agreed change; nil where the method has no lambda.
  package let lambda: Double?
  /// Random seed for dropping changes; nil where the method has no seed.
  package let seed: UInt64?
  /// Position of the result between the merged model (0) and the base (1) (WiSE-FT).
  package let towardBase: Double

  // Without parameters it cannot throw.
  package static let sum = try! MergeMethod(.sum)

  /// Omitted parameters get their defaults: density 0.5, lambda 1, seed 0.
  /// - Throws: `refused` for a parameter that the method does not have, or that is out of range.
  package init(
    _ kind: Kind, density: Double? = nil, lambda: Double? = nil, seed: UInt64? = nil, towardBase: Double = 0
  ) throws {
    func refuse(_ reason: String, _ remedy: String) -> VPatchError {
      VPatchError(.refused, "the merge method \(kind.rawValue)", reason, remedy: remedy)
    }
    let parameters = [
      ("density", density != nil, kind.hasDensity), ("lambda", lambda != nil, kind.hasLambda),
      ("seed", seed != nil, kind.hasSeed),
    ]
    for (name, isGiven, isKnown) in parameters where isGiven && !isKnown {
      throw refuse("has no \(name)", "leave it out")
    }
    if let density, !(density > 0 && density <= 1) {
      throw refuse("has an invalid density \(density)", "give a density above 0 and at most 1")
    }
    if let lambda, !lambda.isFinite { throw refuse("has a lambda that is not a finite number", "give a number") }
    guard towardBase >= 0, towardBase <= 1 else {
      throw refuse("has an invalid toward-base \(towardBase)", "give a number from 0 to 1")
    }
    self.kind = kind
    self.density = kind.hasDensity ? density ?? 0.5 : nil
    // −0 and 0 are the same number and must give the same text.
    self.lambda = kind.hasLambda ? lambda.map { $0 == 0 ? 0 : $0 } ?? 1 : nil
    self.seed = kind.hasSeed ? seed ?? 0 : nil
    self.towardBase = towardBase == 0 ? 0 : towardBase
  }

  /// Its canonical text form: `ties density=0.5 lambda=1`.
  package var text: String {
    var parts = [kind.rawValue]
    if let density { parts.append("density=\(density.shortest)") }
    if let lambda { parts.append("lambda=\(lambda.shortest)") }
    if let seed { parts.append("seed=\(seed)") }
    if towardBase != 0 { parts.append("toward-base=\(towardBase.shortest)") }
    return parts.joined(separator: " ")
  }

  /// - Throws: `refused` with the part that is not valid.
  package init(text: String) throws {
    let words = text.split(separator: " ").map(String.init)
    func refuse(_ reason: String) -> VPatchError {
      VPatchError(
        .refused, "the merge method \"\(text.printable)\"", reason,
        remedy: "write it like \"ties density=0.5\"; known methods are "
          + Kind.allCases.map(\.rawValue).joined(separator: ", "))
    }
    guard let name = words.first, let kind = Kind(rawValue: name) else { throw refuse("is unknown") }
    var values: [String: String] = [:]
    for word in words.dropFirst() {
      let pair = word.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      guard pair.count == 2, ["density", "lambda", "seed", "toward-base"].contains(pair[0]) else {
        throw refuse("has the unknown parameter \"\(word.printable)\"")
      }
      guard values.updateValue(pair[1], forKey: pair[0]) == nil else { throw refuse("gives \(pair[0]) twice") }
    }
    func number(_ key: String) throws -> Double? {
      guard let text = values[key] else { return nil }
      guard let number = Double(decimal: text) else { throw refuse("has the invalid \(key) \"\(text.printable)\"") }
      return number
    }
    var seed: UInt64?
    if let text = values["seed"] {
      guard let number = UInt64(text) else { throw refuse("has the invalid seed \"\(text.printable)\"") }
      seed = number
    }
    try self.init(
      kind, density: try number("density"), lambda: try number("lambda"), seed: seed,
      towardBase: try number("toward-base") ?? 0)
  }
}

extension Double {
  /// The shortest decimal that reads back as this number, without a trailing ".0".
  package var shortest: String {
    let text = "\(self)"
    return text.utf8.suffix(2).elementsEqual(".0".utf8) ? String(text.dropLast(2)) : text
  }

  /// Parses a finite decimal number. Nil for `inf`, `nan` and hexadecimal numbers.
  package init?(decimal text: String) {
    let allowed = text.utf8.allSatisfy { c in
      switch c {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "e"), UInt8(ascii: "E"):
        true
      default: false
      }
    }
    guard allowed, let value = Double(text), value.isFinite else { return nil }
    self = value
  }
}
