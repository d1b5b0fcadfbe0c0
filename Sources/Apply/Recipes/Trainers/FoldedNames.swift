import Base
import Families

/// A regular expression for some names of a list and no others, short enough to be read.
///
/// Names that differ in one part are folded to one: `q_proj` and `k_proj` to `[qk]_proj`, and numbers to `\d+` where
/// each such name is meant.
struct FoldedNames {
  private typealias Item = [Segment]

  private enum Segment: Hashable {
    /// Any number.
    case number
    case words(Set<Substring>)
    /// Whatever follows.
    case rest

    var words: Set<Substring>? { if case .words(let words) = self { words } else { nil } }
  }

  private let items: [Item]

  /// More kinds of names below one path than this, all of them meant, are written as the path and `.+`.
  private static let kindsOfRest = 8

  /// - Parameter usesRest: whether `.+` may stand for the rest of a name.
  init(_ chosen: [String], of all: [String], usesRest: Bool = true) {
    let isChosen = Set(chosen)
    let paths = all.map { $0.split(separator: ".", omittingEmptySubsequences: false) }
    let templates = paths.map { $0.map { NamePath.index($0) == nil ? $0 : "#" } }
    // Of each template, and of each beginning of one: whether a name outside exists, and how many templates there are.
    var mixed: Set<[Substring]> = []
    for (name, template) in zip(all, templates) where !isChosen.contains(name) {
      for count in 0...template.count { mixed.insert(Array(template[..<count])) }
    }
    var kinds: [[Substring]: Int] = [:]
    for template in Set(templates) {
      for count in 0..<template.count { kinds[Array(template[..<count]), default: 0] += 1 }
    }
    var items: [Item] = []
    for ((name, path), template) in zip(zip(all, paths), templates) where isChosen.contains(name) {
      guard !mixed.contains(template) else {
        items.append(path.map { .words([$0]) })
        continue
      }
      let start =
        !usesRest
        ? nil
        : (0..<template.count).first { count in
          let path = Array(template[..<count])
          return !mixed.contains(path) && kinds[path, default: 0] > Self.kindsOfRest
        }
      let kept = template[..<(start ?? template.count)].map { $0 == "#" ? Segment.number : .words([$0]) }
      items.append(kept + (start == nil ? [] : [.rest]))
    }
    // Weights before the biases beside them.
    let folded = Self.folded(items)
    self.items = folded.filter { $0.last != .words(["bias"]) } + folded.filter { $0.last == .words(["bias"]) }
  }

  private static func folded(_ items: [Item]) -> [Item] {
    var items = items.unique
    while true {
      let count = items.count
      let width = items.map(\.count).max() ?? 0
      // The module before its parameter: q, k, v, o have weights, and three of them biases.
      for fromEnd in Array(1..<max(width, 1)) + [0] { items = folded(items, at: fromEnd) }
      if items.count == count { return items }
    }
  }

  /// Joins the items that differ in one part.
  private static func folded(_ items: [Item], at fromEnd: Int) -> [Item] {
    var groups: [Item: Int] = [:]
    var result: [Item] = []
    for item in items {
      let place = item.count - 1 - fromEnd
      guard place >= 0, let words = item[place].words else {
        result.append(item)
        continue
      }
      var key = item
      key[place] = .words([])
      if let at = groups[key], let others = result[at][place].words {
        result[at][place] = .words(others.union(words))
      } else {
        groups[key] = result.count
        result.append(item)
      }
    }
    return result
  }

  // MARK: Text

  /// The expression for the whole name.
  /// - Parameter dot: how it has a dot.
  func expression(dot: String = "\\.") -> String { Self.text(items, dot) }

  private static func text(_ items: [Item], _ dot: String) -> String {
    guard items.count > 1 else { return (items.first ?? []).map(text).joined(separator: dot) }
    let shortest = items.map(\.count).min()! - 1
    let head = (0..<shortest).prefix { at in items.allSatisfy { $0[at] == items[0][at] } }.count
    let tail = (0..<(shortest - head)).prefix { at in
      items.allSatisfy { $0[$0.count - 1 - at] == items[0][items[0].count - 1 - at] }
    }.count
    let middles = items.map { Array($0[head..<($0.count - tail)]) }
    var parts = items[0][..<head].map(text)
    parts.append("(?:" + choices(middles, dot).joined(separator: "|") + ")")
    parts += items[0].suffix(tail).map(text)
    return parts.joined(separator: dot)
  }

  /// The items as alternatives; those that begin alike are one.
  private static func choices(_ items: [Item], _ dot: String) -> [String] {
    var order: [Segment] = []
    var groups: [Segment: [Item]] = [:]
    for item in items {
      if groups.updateValue(groups[item[0], default: []] + [item], forKey: item[0]) == nil { order.append(item[0]) }
    }
    return order.map { text(groups[$0]!, dot) }
  }

  private static func text(_ segment: Segment) -> String {
    switch segment {
    case .number: return "\\d+"
    case .rest: return ".+"
    case .words(let set):
      let words = set.sorted(by: precedes)
      guard words.count > 1 else { return escaped(words[0]) }
      let end = commonEnd(words)
      let heads = words.map { $0.dropLast(end.count) }
      if heads.allSatisfy({ $0.count == 1 && $0.first!.isLetter }) {
        return "[" + heads.joined() + "]" + escaped(end)
      }
      return "(?:" + heads.map(escaped).joined(separator: "|") + ")" + escaped(end)
    }
  }

  /// The end that all have, from an underscore on.
  private static func commonEnd(_ words: [Substring]) -> Substring {
    var end = words[0]
    while let at = end.firstIndex(of: "_") {
      end = end[at...]
      if words.allSatisfy({ $0.hasSuffix(end) && $0.count > end.count }) { return end }
      end = end.dropFirst()
    }
    return ""
  }

  /// In the order in which people name them; numbers by value.
  private static func precedes(_ a: Substring, _ b: Substring) -> Bool {
    let usual: [Substring] = [
      "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "weight", "bias",
    ]
    let (first, second) = (usual.firstIndex(of: a) ?? usual.count, usual.firstIndex(of: b) ?? usual.count)
    if first != second { return first < second }
    if let first = NamePath.index(a), let second = NamePath.index(b) { return first < second }
    return a < b
  }

  private static func escaped(_ text: Substring) -> String {
    text.reduce(into: "") { result, character in
      let isPlain =
        character == "_" || character == "-" || (character.isASCII && (character.isLetter || character.isNumber))
      result += isPlain ? String(character) : "\\\(character)"
    }
  }
}
