import Base
import Families

extension [PatchBuilder.Tensor] {
  /// The tensors that the patch changes.
  package var changed: [PatchBuilder.Tensor] { filter { $0.base != $0.target } }

  /// What the changes mean for the file layout.
  var layoutChanges: [LayoutChange] { changed.map { LayoutChange(name: $0.name, target: $0.target?.info) } }

  /// Annotations of a patch that is made of other patches: the layout of its base, and the recipe that covers its
  /// changes, if one does.
  var annotated: (layout: JSON, recipe: JSON?) {
    let layout = ModelLayout.recognise(names: compactMap { $0.base?.info.name })
    let recipe = Recipe.recognise(
      changed: changed.map { layout.component(of: $0.name) }, of: lazy.map { layout.component(of: $0.name) })
    return (.string(layout.name), recipe.map { .string($0.rawValue) })
  }
}
