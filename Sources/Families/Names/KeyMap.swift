/// Pairs the tensors of a tuned checkpoint with those of its base, if the two files use different layouts.
///
/// A pair means that two names denote the same place in the model. The caller must check shape and dtype.
package struct KeyMap: Hashable, Sendable {
  /// Tuned name → base name. No base name occurs twice.
  package let names: [String: String]
  /// Tuned names without a counterpart in the base, sorted.
  package let onlyInTuned: [String]
  /// Base names without a counterpart in the tuned checkpoint, sorted.
  package let onlyInBase: [String]
  /// The layouts of the two lists.
  package let tunedLayout: ModelLayout
  package let baseLayout: ModelLayout

  /// Whether each name is paired with itself.
  package var isIdentity: Bool { names.allSatisfy { $0.key == $0.value } }

  /// Whether every tensor on both sides has a counterpart.
  package var isComplete: Bool { onlyInTuned.isEmpty && onlyInBase.isEmpty }

  /// Pairs the two lists by canonical name.
  ///
  /// Parts that wrappers add to names are ignored (`ModuleWrappers`). If no known layout fits a list, a prefix of all
  /// its names (`module.`, `base_model.model.`, `bert.`) may come from a wrapper too. It is removed on one side at
  /// most, and only if that pairs more names.
  ///
  /// - Throws: `KeyMapError` where two names of one list denote the same tensor, or where nothing pairs.
  package static func auto(
    from tuned: some Sequence<String>, to base: some Sequence<String>
  ) throws(KeyMapError) -> KeyMap {
    let (tuned, base) = (Array(tuned), Array(base))
    let tunedReadings = Reading.all(of: tuned)
    let baseReadings = Reading.all(of: base)

    var best = try KeyMap(tunedReadings[0], baseReadings[0])
    if best.isComplete && !best.names.isEmpty { return best }
    let guesses =
      tunedReadings.dropFirst().map { ($0, baseReadings[0]) }
      + baseReadings.dropFirst().map { (tunedReadings[0], $0) }
    for (tunedReading, baseReading) in guesses {
      // A guess that makes names ambiguous was wrong; the file is not.
      guard let map = try? KeyMap(tunedReading, baseReading) else { continue }
      if map.names.count > best.names.count { best = map }
    }
    guard !best.names.isEmpty else {
      throw .nothingInCommon(
        tuned: tuned.min(), tunedLayout: best.tunedLayout.name,
        base: base.min(), baseLayout: best.baseLayout.name)
    }
    return best
  }

  init(
    names: [String: String], onlyInTuned: [String], onlyInBase: [String], tunedLayout: ModelLayout,
    baseLayout: ModelLayout
  ) {
    self.names = names
    self.onlyInTuned = onlyInTuned
    self.onlyInBase = onlyInBase
    self.tunedLayout = tunedLayout
    self.baseLayout = baseLayout
  }

  private init(_ tuned: Reading, _ base: Reading) throws(KeyMapError) {
    // A few tensors alone (a head, an embedding) fit no layout. The other side's layout is used for them.
    let tunedNames = try tuned.byCanonicalName(.tuned, in: tuned.layout == .generic ? base.layout : tuned.layout)
    let baseNames = try base.byCanonicalName(.base, in: base.layout == .generic ? tuned.layout : base.layout)
    names = tunedNames.reduce(into: [:]) { map, entry in map[entry.value] = baseNames[entry.key] }
    onlyInTuned = tunedNames.filter { baseNames[$0.key] == nil }.values.sorted()
    onlyInBase = baseNames.filter { tunedNames[$0.key] == nil }.values.sorted()
    tunedLayout = tuned.layout
    baseLayout = base.layout
  }
}

/// One reading of a list of names: its layout, without wrapper parts, and without the first bytes of each name.
private struct Reading {
  let names: [String]
  /// The names without wrappers, in the same order.
  let inner: [String]
  let layout: ModelLayout

  init(_ names: [String], _ inner: [String], prefix: Int = 0) {
    self.names = names
    self.inner = prefix == 0 ? inner : inner.map { String(decoding: $0.utf8.dropFirst(prefix), as: UTF8.self) }
    layout = ModelLayout.recognise(names: self.inner)
  }

  /// First the names without parts that always come from wrappers; then also without parts that may do so. If no layout
  /// fits a reading, it is also tried without every prefix that all names share.
  static func all(of names: [String]) -> [Reading] {
    let plain = names.map { ModuleWrappers.removed(from: $0, .certain) }
    let bare = names.map { ModuleWrappers.removed(from: $0, .likely) }
    return [plain, bare == plain ? nil : bare].compactMap(\.self).flatMap { inner in
      let reading = Reading(names, inner)
      guard reading.layout == .generic else { return [reading] }
      return [reading] + sharedPrefixes(of: inner).map { Reading(names, inner, prefix: $0) }
    }
  }

  func byCanonicalName(_ side: KeyMapError.Side, in layout: ModelLayout) throws(KeyMapError) -> [String: String] {
    var found: [String: String] = [:]
    for (name, inner) in zip(names, inner) {
      let canonical = layout.canonicalName(of: inner)
      if let first = found.updateValue(name, forKey: canonical) {
        throw .ambiguous(side: side, first: min(first, name), second: max(first, name))
      }
    }
    return found
  }

  /// The lengths of the prefixes, each ending in a dot, that all names share. At most four: each costs a pass over the
  /// whole list, and deeper wrapping does not occur.
  private static func sharedPrefixes(of names: [String]) -> [Int] {
    // All names share the common prefix of the smallest and the greatest one.
    guard let least = names.min(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }),
      let greatest = names.max(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    else { return [] }
    let shared = zip(least.utf8, greatest.utf8).prefix { $0 == $1 }.map(\.0)
    let dots = shared.indices.filter { shared[$0] == UInt8(ascii: ".") }
    return dots.prefix(4).map { $0 + 1 }
  }
}

/// Why two lists of names cannot be paired.
package enum KeyMapError: Error, Equatable, Sendable, CustomStringConvertible {
  package enum Side: String, Sendable { case tuned, base }

  /// Two names of one list denote the same tensor.
  case ambiguous(side: Side, first: String, second: String)
  /// No name of one list denotes the same tensor as a name of the other.
  case nothingInCommon(tuned: String?, tunedLayout: String, base: String?, baseLayout: String)

  package var description: String {
    switch self {
    case .ambiguous(let side, let first, let second) where first == second:
      "the \(side.rawValue) model lists '\(first)' twice; write the checkpoint again"
    case .ambiguous(let side, let first, let second):
      "'\(first)' and '\(second)' of the \(side.rawValue) model mean the same tensor; "
        + "remove one of them from the checkpoint"
    case .nothingInCommon(let tuned, let tunedLayout, let base, let baseLayout):
      "no tensor of the tuned model (\(Self.sample(tuned, tunedLayout))) is in the base "
        + "(\(Self.sample(base, baseLayout))); give the base that it was tuned from"
    }
  }

  private static func sample(_ name: String?, _ layout: String) -> String {
    name.map { "layout \(layout), e.g. '\($0)'" } ?? "which has no tensors"
  }
}
