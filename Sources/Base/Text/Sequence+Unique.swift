extension Sequence where Element: Hashable {
  /// The elements without repetition, each where it is first.
  package var unique: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
