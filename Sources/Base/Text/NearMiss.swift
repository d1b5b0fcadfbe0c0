/// Similar names, for "did you mean".
package enum NearMiss {
  /// The names closest to the given one, nearest first; never the given one itself.
  package static func of(_ text: String, among names: some Collection<String>, limit: Int = 3) -> [String] {
    let typed = Array(text.utf8)
    // One typo in a short name, two or three in longer ones. With more it would be another name.
    let bound = min(3, max(1, typed.count / 3))
    let found = names.compactMap { name -> (distance: Int, name: String)? in
      let candidate = Array(name.utf8)
      guard abs(candidate.count - typed.count) <= bound else { return nil }
      let distance = distance(typed, candidate)
      return 1...bound ~= distance ? (distance, name) : nil
    }
    var names: [String] = []
    for (_, name) in found.sorted(by: { ($0.distance, $0.name) < ($1.distance, $1.name) }) where !names.contains(name) {
      names.append(name)
    }
    return Array(names.prefix(limit))
  }

  /// The number of insertions, deletions, replacements and swaps of neighbours that turn one into the other (restricted
  /// Damerau–Levenshtein distance).
  package static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      row.reserveCapacity(b.count + 1)
      for j in 0..<b.count {
        var best = min(previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        row.append(best)
      }
      before = previous
      previous = row
    }
    return previous[b.count]
  }
}
