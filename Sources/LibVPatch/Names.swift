import Apply
import Base
import CVPatch
import Checkpoints
import Families

@_cdecl("vpatch_select")
package func selectNames(
  _ recipe: UnsafePointer<CChar>?, _ names: UnsafePointer<CChar>?,
  _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let recipe = try knownRecipe(string(recipe, "recipe"))
    guard let all = try parsed(names, "names").array?.map(\.string), !all.contains(nil) else {
      throw Misuse("names is not an array of strings")
    }
    let names = all.map { $0! }
    // A running model may have the names of torch.compile, DDP or FSDP around its own.
    let inner = names.map { ModelLayout.nameWithoutWrappers($0) }
    let layout = ModelLayout.recognise(names: inner)
    let selected = zip(names, inner).filter { recipe.contains(layout.component(of: $0.1)) }
    try give(.array(selected.map { .string($0.0) }), result)
  }
}

/// - Throws: a misuse that lists the recipes.
func knownRecipe(_ name: String) throws -> Recipe {
  guard let recipe = Recipe(rawValue: name) else {
    let all = Recipe.allCases.map(\.rawValue).joined(separator: ", ")
    throw Misuse("\"\(name.printable)\" is not a recipe; there are \(all)")
  }
  return recipe
}

@_cdecl("vpatch_match")
package func matchNames(
  _ request: UnsafePointer<CChar>?, _ result: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let reader = try object(parsed(request, "request"), "request")
    let (base, tuned) = (try tensors("base", reader), try tensors("tuned", reader))
    let config = reader.optional("config")
    do {
      try give(
        LayoutMatch.find(tuned: tuned, base: base, configs: [config].compactMap(\.self)).json, result)
    } catch let error as LayoutMatchError {
      throw VPatchError(.refused, "the model in memory", "\(error)", remedy: error.remedy)
    } catch let error as KeyMapError {
      throw VPatchError(.refused, "the model in memory", "\(error)")
    }
  }
}

private func tensors(_ key: String, _ reader: ObjectReader<Misuse>) throws -> [TensorInfo] {
  try reader.list(key).map { entry in
    guard let parts = entry.array, parts.count == 3, let name = parts[0].string,
      let dtype = parts[1].string.flatMap(DType.init), let shape = parts[2].array?.map(\.int), !shape.contains(nil)
    else { throw Misuse("\(key) has an entry that is not [name, dtype, shape]") }
    let dimensions = shape.map { $0! }
    guard let count = TensorInfo.byteCount(dtype: dtype, shape: dimensions) else {
      throw Misuse("\(key) has \"\(name.printable)\" in a dtype or shape that is not known")
    }
    return TensorInfo(name: name, dtype: dtype, shape: dimensions, byteCount: count)
  }
}

extension LayoutMatch {
  fileprivate var json: JSON {
    func numbers(_ list: [Int]) -> JSON { .array(list.map { JSON($0) }) }
    return .dictionary([
      "names": .object(keys.names.sorted { $0.key.precedes($1.key) }.map { JSON.Member($0.key, .string($0.value)) }),
      "rearranged": .array(
        rearranged.map { tensor in
          .dictionary([
            "tensor": .string(tensor.tensor.name), "sources": .array(tensor.sources.map { .string($0.name) }),
            "blocks": .array(
              tensor.blocks.map { block in
                .array([
                  JSON(block.source), JSON(block.targetStart), JSON(block.sourceStart),
                  .array(block.loops.map { numbers([$0.count, $0.target, $0.source]) }),
                ])
              }),
          ])
        }),
      "only_in_base": .array(keys.onlyInBase.map { .string($0) }),
      "only_in_tuned": .array(keys.onlyInTuned.map { .string($0) }),
    ])
  }
}
