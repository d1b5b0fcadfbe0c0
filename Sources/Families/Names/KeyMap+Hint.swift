extension KeyMap {
  /// Two lists of names that look like the same model in two layouts.
  package struct PrefixHint: Hashable, Sendable, CustomStringConvertible {
    package let expectedLayout: String
    package let foundLayout: String
    /// The same tensor's name in each list.
    package let expectedName: String
    package let foundName: String
    /// How many of the expected tensors have a counterpart among the found ones.
    package let paired: Int
    package let expectedCount: Int

    package var description: String {
      "\(paired) of \(expectedCount) tensors exist under other names: "
        + "expected '\(expectedName)' (\(expectedLayout)), found '\(foundName)' (\(foundLayout)); "
        + "this may be the right model saved in another layout"
    }
  }

  /// Explains a wrong base: the hint says that `found` names the tensors of `expected` in another layout.
  ///
  /// Nil where the names are the same, or where fewer than nine tenths of either list pair up (a head may be tied, an
  /// embedding missing; a different model has far fewer pairs).
  /// - Parameter partial: whether nine tenths of the found names suffice, for checkpoints with only the trained
  ///   tensors.
  package static func hint(
    expected: some Sequence<String>, found: some Sequence<String>, partial: Bool = false
  ) -> PrefixHint? {
    guard let map = try? auto(from: expected, to: found), !map.isIdentity else { return nil }
    let paired = map.names.count
    let expectedCount = paired + map.onlyInTuned.count
    let foundCount = paired + map.onlyInBase.count
    guard paired * 10 >= (partial ? foundCount : max(expectedCount, foundCount)) * 9,
      let example = map.names.filter({ $0.key != $0.value }).min(by: { $0.key < $1.key })
    else { return nil }
    return PrefixHint(
      expectedLayout: map.tunedLayout.name, foundLayout: map.baseLayout.name,
      expectedName: example.key, foundName: example.value,
      paired: paired, expectedCount: expectedCount)
  }
}
