import Base

/// Finds the families whose conversions make two lists of names alike.
///
/// It compares names with zeros for their numbers, so that its cost does not depend on the number of layers and experts.
struct ConversionSearch {
  struct Step {
    let side: KeyMapError.Side
    let family: ConversionFamily
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
    var unpaired = Self.unpaired(sides.tuned, sides.base) ?? tuned.count + base.count
    while unpaired > 0 {
      var best: [(step: Step, names: ConvertedNames)] = []
      for family in ConversionFamily.known {
        for side in [KeyMapError.Side.tuned, .base] {
          guard let names = (side == .tuned ? sides.tuned : sides.base).converted(by: family),
            let count = side == .tuned ? Self.unpaired(names, sides.base) : Self.unpaired(sides.tuned, names),
            count < unpaired || (count == unpaired && !best.isEmpty)
          else { continue }
          if count < unpaired { best = [] }
          unpaired = count
          best.append((Step(side: side, family: family), names))
        }
      }
      guard let chosen = try decided(best) else { break }
      steps.append(chosen.step)
      if chosen.step.side == .tuned { sides.tuned = chosen.names } else { sides.base = chosen.names }
    }
    return steps
  }

  /// One of several conversions that pair equally many names: they must do the same, or a config must decide.
  private func decided(
    _ all: [(step: Step, names: ConvertedNames)]
  ) throws(LayoutMatchError) -> (step: Step, names: ConvertedNames)? {
    guard let first = all.first else { return nil }
    let others = all.filter { $0.step.side != first.step.side || !$0.names.isSame(as: first.names) }
    guard let other = others.first else { return first }
    let named = all.filter { !modelTypes.isDisjoint(with: $0.step.family.names) }
    if let chosen = named.first, named.allSatisfy({ $0.names.isSame(as: chosen.names) }) { return chosen }
    let name = zip(first.names.entries, other.names.entries).first {
      $0.0.name != $0.1.name || $0.0.origin != $0.1.origin
    }
    throw .ambiguous(
      name: name?.0.name ?? first.names.entries[0].name, families: [first.step.family.name, other.step.family.name])
  }

  private static func unpaired(_ tuned: ConvertedNames, _ base: ConvertedNames) -> Int? {
    guard let map = try? KeyMap.auto(from: tuned.names, to: base.names) else { return nil }
    return map.onlyInTuned.count + map.onlyInBase.count
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

extension ConvertedNames {
  /// Whether two conversions of the same list give the same names from the same tensors.
  fileprivate func isSame(as other: ConvertedNames) -> Bool {
    guard entries.count == other.entries.count else { return false }
    let (mine, theirs) = (meanings, other.meanings)
    return mine == theirs
  }

  /// What each name is made of.
  private var meanings: [String: String] {
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
