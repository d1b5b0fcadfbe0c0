import Base

/// Finds the families whose conversions make two lists of names alike.
///
/// It compares names with zeros for their numbers, so that its cost does not depend on the number of layers and experts.
struct ConversionSearch {
  struct Step {
    let side: KeyMapError.Side
    let family: ConversionFamily
  }

  private struct Candidate {
    let step: Step
    let names: ConvertedNames
  }

  private let tuned: [String]
  private let base: [String]
  private let modelTypes: Set<String>

  init(tuned: [String], base: [String], configs: [JSON]) {
    self.tuned = Self.templates(tuned)
    self.base = Self.templates(base)
    modelTypes = Set(configs.flatMap(Self.modelTypes))
  }

  /// The conversions that pair the most names, the best first. Each applies to one of the two lists.
  func steps() throws(LayoutMatchError) -> [Step] {
    var steps: [Step] = []
    var sides = (tuned: ConvertedNames(tuned), base: ConvertedNames(base))
    var unpaired = Unpaired(sides.tuned, sides.base) ?? Unpaired(tuned: tuned, base: base)
    while unpaired.count > 0 {
      var best: [Candidate] = []
      let before = unpaired
      for family in ConversionFamily.known {
        for side in [KeyMapError.Side.tuned, .base] {
          // Only a conversion of names that are unpaired can pair more. Most families have none.
          guard ConvertedNames(side == .tuned ? before.tuned : before.base).converted(by: family) != nil,
            let names = (side == .tuned ? sides.tuned : sides.base).converted(by: family),
            let rest = side == .tuned ? Unpaired(names, sides.base) : Unpaired(sides.tuned, names),
            rest.count < unpaired.count || (rest.count == unpaired.count && !best.isEmpty)
          else { continue }
          if rest.count < unpaired.count { best = [] }
          unpaired = rest
          best.append(Candidate(step: Step(side: side, family: family), names: names))
        }
      }
      guard let chosen = try decided(best, sides) else { break }
      steps.append(chosen.step)
      if chosen.step.side == .tuned { sides.tuned = chosen.names } else { sides.base = chosen.names }
    }
    return steps
  }

  /// One of several conversions that pair equally many names: they must pair the same, or a config must decide.
  private func decided(
    _ all: [Candidate], _ sides: (tuned: ConvertedNames, base: ConvertedNames)
  ) throws(LayoutMatchError) -> Candidate? {
    guard let first = all.first else { return nil }
    let pairs = all.map { Self.pairs($0, sides) }
    guard let other = pairs.firstIndex(where: { $0 != pairs[0] }) else { return first }
    let named = all.indices.filter { !modelTypes.isDisjoint(with: all[$0].step.family.names) }
    if let chosen = named.first, named.allSatisfy({ pairs[$0] == pairs[chosen] }) { return all[chosen] }
    let name = Set(pairs[0].keys).union(pairs[other].keys).sorted().first { pairs[0][$0] != pairs[other][$0] }
    throw .ambiguous(name: name ?? "", families: [first.step.family.name, all[other].step.family.name])
  }

  /// The names of the other side, and what each is paired with. Unlike names, these do not depend on the layout.
  private static func pairs(
    _ candidate: Candidate, _ sides: (tuned: ConvertedNames, base: ConvertedNames)
  ) -> [String: String] {
    let isTuned = candidate.step.side == .tuned
    let (tuned, base) = isTuned ? (candidate.names, sides.base) : (sides.tuned, candidate.names)
    guard let map = try? KeyMap.auto(from: tuned.names, to: base.names) else { return [:] }
    let partners = isTuned ? map.names : Dictionary(map.names.map { ($1, $0) }) { first, _ in first }
    return candidate.names.meanings.reduce(into: [:]) { pairs, entry in
      if let partner = partners[entry.key] { pairs[partner] = entry.value }
    }
  }

  /// The names without a partner.
  private struct Unpaired {
    let tuned: [String]
    let base: [String]
    var count: Int { tuned.count + base.count }

    init(tuned: [String], base: [String]) {
      self.tuned = tuned
      self.base = base
    }

    /// Nil where a name means two tensors, or nothing pairs.
    init?(_ tuned: ConvertedNames, _ base: ConvertedNames) {
      guard let map = try? KeyMap.auto(from: tuned.names, to: base.names) else { return nil }
      self.init(tuned: map.onlyInTuned, base: map.onlyInBase)
    }
  }

  /// Each name once, with zeros for its numbers.
  private static func templates(_ names: [String]) -> [String] {
    let all = names.map { name in
      name.split(separator: ".", omittingEmptySubsequences: false)
        .map { NamePath.index($0) == nil ? $0 : "0" }.joined(separator: ".")
    }
    return Set(all).sorted()
  }

  private static func modelTypes(_ config: JSON) -> [String] {
    let parts = [config] + ["text_config", "vision_config", "audio_config"].compactMap { config[$0] }
    return parts.flatMap { part in
      [part["model_type"]?.string].compactMap(\.self) + (part["architectures"]?.array?.compactMap(\.string) ?? [])
    }
  }
}

extension [ConversionSearch.Step] {
  /// The names of a side, with the conversions that apply to it.
  func converted(_ names: [String], _ side: KeyMapError.Side) -> ConvertedNames {
    filter { $0.side == side }.reduce(ConvertedNames(names)) { $0.converted(by: $1.family) ?? $0 }
  }
}

extension ConvertedNames {
  /// What each name is made of.
  fileprivate var meanings: [String: String] {
    Dictionary(
      entries.map { entry in
        switch entry.origin {
        case .stored(let index): (entry.name, "\(index)")
        case .part(let group, let place):
          (entry.name, "\(place) \(groups[group].converter.arrangement) \(groups[group].members)")
        }
      }
    ) { first, _ in first }
  }
}
