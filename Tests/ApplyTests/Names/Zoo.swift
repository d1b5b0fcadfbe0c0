import Foundation
import TestModels
import Testing

@testable import Apply
@testable import Families

/// The tensors of tiny models of many families as transformers saves them, and what two fine-tunes of each moved, from
/// `fixtures/keys/zoo.tsv`.
struct Zoo: Sendable, CustomTestStringConvertible {
  struct Tensor: Sendable {
    let name: String
    let dtype: String
    let shape: [Int]
    /// The recipes whose fine-tune moved it.
    let recipes: [Recipe]
  }

  let family: String
  let tensors: [Tensor]
  let layout: ModelLayout
  /// Those of the tensors.
  let components: [Component]

  init(_ family: String, _ tensors: [Tensor]) {
    self.family = family
    self.tensors = tensors
    let layout = ModelLayout.recognise(names: tensors.map(\.name))
    self.layout = layout
    components = tensors.map { layout.component(of: $0.name) }
  }

  var testDescription: String { family }
  var names: [String] { tensors.map(\.name) }

  static let all: [Zoo] = {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../fixtures/keys/zoo.tsv").standardized
    var tensors: [String: [Tensor]] = [:]
    for line in try! String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
      let fields = line.split(separator: "\t").map(String.init)
      tensors[fields[0], default: []].append(
        Tensor(
          name: fields[1], dtype: fields[2], shape: fields[3].split(separator: "x").map { Int($0)! },
          recipes: fields[4].split(separator: " ").compactMap { Recipe(rawValue: String($0)) }))
    }
    return tensors.keys.sorted().map { Zoo($0, tensors[$0]!) }
  }()

  /// The tensors that a recipe selects.
  func taken(by recipe: Recipe) -> Set<String> {
    Set(zip(names, components).filter { recipe.contains($0.1) }.map(\.0))
  }

  /// The tensors that the recipe's fine-tune moved.
  func moved(by recipe: Recipe) -> Set<String> {
    Set(tensors.filter { $0.recipes.contains(recipe) }.map(\.name))
  }

  /// A checkpoint with these names, and small shapes of the same ranks.
  var model: [TestTensor] { tensors.map { .weights($0.name, $0.shape.map { min($0, 6) }) } }
}
