/// What may change: the components of a recipe, or the tensors whose names match a pattern.
public enum Selection: Hashable, Sendable {
  case recipe(Recipe)
  case only(NamePattern)

  /// Whether the tensor may change.
  public func contains(_ name: String, in layout: ModelLayout) -> Bool {
    !filter([name], in: layout).isEmpty
  }

  /// The tensors that may change, in their order.
  public func filter(_ names: some Sequence<String>, in layout: ModelLayout) -> [String] {
    switch self {
    case .recipe(let recipe): names.filter { recipe.contains(layout.component(of: $0)) }
    case .only(let pattern): pattern.filter(names)
    }
  }
}
