/// A list of tensor names in which those of the hub's layout of some families are replaced by those of the runtime
/// layout.
struct ConvertedNames {
  /// Where a name of the list is from.
  enum Origin: Hashable {
    /// A stored tensor, by its index.
    case stored(Int)
    /// A tensor that a group becomes, by the group's index and its place among them.
    case part(Int, Int)
  }

  /// Tensors that one rule turns into others.
  struct Group {
    let converter: TensorConverter
    /// The name before and after the pattern.
    let before: [Substring]
    let after: [Substring]
    /// For each pattern the stored tensors, by their numbers; 0 for a pattern without.
    var members: [[Int: Int]]

    /// The stored tensors of each pattern, in the order of their numbers.
    /// - Parameters:
    ///   - side: the one that the tensors are of.
    ///   - whole: what the group becomes.
    /// - Throws: `incomplete` where one is missing.
    func ordered(_ side: KeyMapError.Side, whole: String) throws(LayoutMatchError) -> [[Int]] {
      let count = (members.flatMap(\.keys).max() ?? -1) + 1
      var all: [[Int]] = []
      for (pattern, found) in zip(converter.hub, members) {
        var indexes: [Int] = []
        for number in 0..<(pattern.text.contains("*") ? count : 1) {
          guard let index = found[number] else {
            let middle = PartPattern.filled(pattern.text, with: [Substring(String(number))])
            throw .incomplete(side: side, whole: whole, missing: (before + middle + after).joined(separator: "."))
          }
          indexes.append(index)
        }
        all.append(indexes)
      }
      return all
    }
  }

  private(set) var entries: [(name: String, origin: Origin)]
  private(set) var groups: [Group] = []

  var names: [String] { entries.map(\.name) }

  init(_ names: [String]) {
    entries = names.enumerated().map { ($1, .stored($0)) }
  }

  /// With the rules of a family; nil where none applies.
  func converted(by family: ConversionFamily) -> ConvertedNames? {
    var paths = entries.map { $0.name.split(separator: ".", omittingEmptySubsequences: false) }
    var parts = Set(paths.joined())
    guard family.mayApply(to: parts) else { return nil }
    var isChanged = false
    for rename in family.renames where rename.pairs.contains(where: { $0.hub.mayOccur(in: parts) }) {
      // Several together need the first.
      if rename.pairs.count > 1, !paths.contains(where: { rename.pairs[0].hub.occurrence(in: $0) != nil }) { continue }
      for i in paths.indices {
        guard let renamed = rename.renamed(paths[i]), renamed != paths[i] else { continue }
        paths[i] = renamed
        parts.formUnion(renamed)
        isChanged = true
      }
    }
    let converters = family.converters.indices.filter { i in
      family.converters[i].hub.contains { $0.mayOccur(in: parts) }
    }
    var result = self
    result.entries = []
    var groupOf: [String: Int] = [:]
    for (path, entry) in zip(paths, entries) {
      guard case .stored(let stored) = entry.origin, let match = family.match(path, among: converters) else {
        result.entries.append((path.joined(separator: "."), entry.origin))
        continue
      }
      isChanged = true
      let (before, after) = (Array(path[..<match.range.lowerBound]), Array(path[match.range.upperBound...]))
      let key = "\(match.converter) \(before.joined(separator: ".")) \(after.joined(separator: "."))"
      let group = groupOf[key] ?? result.groups.count
      if groupOf.updateValue(group, forKey: key) == nil {
        let converter = family.converters[match.converter]
        result.groups.append(
          Group(
            converter: converter, before: before, after: after,
            members: converter.hub.map { _ in [:] }))
        for (i, target) in converter.runtime.enumerated() {
          let name = before + target.split(separator: ".") + after
          result.entries.append((name.joined(separator: "."), .part(group, i)))
        }
      }
      result.groups[group].members[match.pattern][match.number] = stored
    }
    return isChanged ? result : nil
  }

  /// With the rules of a family for a part of the model: they apply to the names below this path, without the path.
  func converted(by family: ConversionFamily, below path: String) -> ConvertedNames? {
    let prefix = path + "."
    var inner = self
    inner.entries = entries.filter { $0.name.hasPrefix(prefix) }.map {
      (String($0.name.dropFirst(prefix.count)), $0.origin)
    }
    guard var result = inner.converted(by: family) else { return nil }
    result.entries =
      entries.filter { !$0.name.hasPrefix(prefix) } + result.entries.map { (prefix + $0.name, $0.origin) }
    return result
  }
}

extension ConversionFamily {
  fileprivate struct Match {
    let converter: Int
    let pattern: Int
    /// The number that stands for `*`.
    let number: Int
    let range: Range<Int>
  }

  /// Whether some rule may apply to names of these parts.
  fileprivate func mayApply(to parts: Set<Substring>) -> Bool {
    renames.contains { $0.pairs.contains { $0.hub.mayOccur(in: parts) } }
      || converters.contains { $0.hub.contains { $0.mayOccur(in: parts) } }
  }

  /// The first converter that a name belongs to. Those that keep names are not applied here: the names do not tell
  /// which layout they are in.
  fileprivate func match(_ path: [Substring], among candidates: [Int]) -> Match? {
    for (i, converter) in candidates.map({ ($0, converters[$0]) }) where !converter.keepsName {
      for (k, pattern) in converter.hub.enumerated() {
        guard let found = pattern.occurrence(in: path) else { continue }
        return Match(
          converter: i, pattern: k, number: found.numbers.first.flatMap { Int($0) } ?? 0, range: found.range)
      }
    }
    return nil
  }
}
