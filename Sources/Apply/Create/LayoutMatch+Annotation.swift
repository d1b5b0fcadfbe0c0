import Base
import Families

extension LayoutMatch {
  /// `made.keys` of a patch: the two layouts, and which of the base's tensors were read in another arrangement. Layers
  /// and experts have `*` for their numbers, so that the list is short.
  var annotation: JSON {
    let kinds = Dictionary(grouping: rearranged) { tensor in
      [Self.pattern(tensor.tensor.name), tensor.how] + Set(tensor.sources.map { Self.pattern($0.name) }).sorted()
    }
    let listed = kinds.sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(Self.maximumKinds)
    return .dictionary([
      "from": .string(keys.tunedLayout.name), "to": .string(keys.baseLayout.name),
      "rearranged": kinds.isEmpty
        ? nil
        : .array(
          listed.map { key, tensors in
            .dictionary([
              "tensors": .string(key[0]), "count": JSON(tensors.count), "how": .string(key[1]),
              "from": .array(key[2...].map { .string($0) }),
            ])
          }),
    ])
  }

  /// More than any model has.
  private static let maximumKinds = 64

  private static func pattern(_ name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false)
      .map { NamePath.index($0) == nil ? $0 : "*" }.joined(separator: ".")
  }
}
