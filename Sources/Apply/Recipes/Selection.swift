import Families

/// What may change: the components of a recipe, or the tensors whose names match a pattern.
package enum Selection: Hashable, Sendable {
  case recipe(Recipe)
  case only(NamePattern)

  /// Whether the tensor may change.
  package func contains(_ name: String, in layout: ModelLayout) -> Bool {
    !filter([name], in: layout).isEmpty
  }

  /// The tensors that may change, in their order.
  package func filter(_ names: some Sequence<String>, in layout: ModelLayout) -> [String] {
    switch self {
    case .recipe(let recipe): names.filter { recipe.contains(layout.component(of: $0)) }
    case .only(let pattern): pattern.filter(names)
    }
  }
}

extension Selection: CustomStringConvertible {
  package var description: String {
    switch self {
    case .recipe(let recipe): "the recipe \(recipe.rawValue)"
    case .only(let pattern): "the pattern \(pattern.source)"
    }
  }
}
