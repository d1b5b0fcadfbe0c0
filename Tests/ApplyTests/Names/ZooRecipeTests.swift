import TestModels
import Testing

@testable import Apply
@testable import Families

/// Recipes on every family. What attention and gate-up are was found by the structure of the running models
/// (`bench/zoo.py`), not by names.
@Suite("Components: recipes in every family") struct ZooRecipeTests {
  @Test("39 families, each with attention and what feeds its MLPs") func families() {
    #expect(Zoo.all.count == 39)
    for zoo in Zoo.all {
      #expect(!zoo.moved(by: .saProj).isEmpty && !zoo.moved(by: .gateUp).isEmpty, "\(zoo.family)")
    }
  }

  @Test("sa-proj and gate-up select what the structure says, and nothing else", arguments: Zoo.all)
  func expected(zoo: Zoo) {
    for recipe in [Recipe.saProj, .gateUp] { #expect(zoo.taken(by: recipe) == zoo.moved(by: recipe)) }
  }

  @Test("every tensor has a place of its own, and each moves only what its fine-tune may", arguments: Zoo.all)
  func places(zoo: Zoo) {
    let components = zoo.components
    #expect(components.filter { $0.region == .other } == [])
    #expect(Set(components).count == components.count)
    for region in [Component.Region.visionTower, .projector, .resampler, .head, .prediction] {
      #expect(components.filter { $0.region == region }.allSatisfy { $0.role == nil })
    }
  }

  @Test("one changed tensor outside is not covered, whichever", arguments: Zoo.all)
  func outside(zoo: Zoo) {
    for recipe in [Recipe.saProj, .gateUp] {
      let inside = zoo.moved(by: recipe).map(zoo.layout.component(of:))
      #expect(Recipe.recognise(changed: inside, of: zoo.components) == recipe)
      for name in Set(zoo.names).subtracting(zoo.moved(by: recipe)) {
        let found = Recipe.recognise(changed: inside + [zoo.layout.component(of: name)], of: zoo.components)
        #expect(found != recipe && found != nil, "\(name)")
      }
    }
  }

  @Test("small recipes share nothing; wide ones are made of them", arguments: Zoo.all)
  func sets(zoo: Zoo) {
    func taken(_ recipes: Recipe...) -> Set<String> { recipes.reduce(into: []) { $0.formUnion(zoo.taken(by: $1)) } }
    let small: [Recipe] = [.saQKV, .attentionOutput, .gateUpDense, .gateUpExperts, .down, .router, .norms, .embeddings]
    for (i, a) in small.enumerated() {
      for b in small[(i + 1)...] { #expect(zoo.taken(by: a).isDisjoint(with: zoo.taken(by: b)), "\(a) \(b)") }
    }
    #expect(taken(.saQKV, .attentionOutput) == taken(.saProj))
    #expect(taken(.gateUpDense, .gateUpExperts) == taken(.gateUp))
    #expect(taken(.gateUp, .down) == taken(.mlp))
    #expect(taken(.gateUp).intersection(taken(.experts)) == taken(.gateUpExperts))
    #expect(taken(.experts).isSubset(of: taken(.mlp)))
    #expect(taken(.saProj, .mlp, .router, .norms, .embeddings).isSubset(of: taken(.llm)))
    #expect(taken(.llm, .projector, .vision) == taken(.full))
  }

  @Test("routers, experts, norms: found where the family has them", arguments: Zoo.all)
  func kinds(zoo: Zoo) {
    let names = zoo.names
    let hasExperts = names.contains { $0.contains("experts") }
    #expect(zoo.taken(by: .experts).isEmpty == !hasExperts)
    #expect(zoo.taken(by: .router).isEmpty == !hasExperts)
    let inLanguage = names.filter { Recipe.llm.contains(zoo.layout.component(of: $0)) }
    #expect(zoo.taken(by: .norms) == Set(inLanguage.filter { $0.contains("norm") || $0.contains(".ln_") }))
    let never = inLanguage.filter { name in
      ["sinks", "A_log", "dt_bias", "conv1d", ".conv.", "layer_scalar"].contains { name.contains($0) }
    }
    for name in never {
      let component = zoo.layout.component(of: name)
      #expect(Recipe.allCases.filter { $0.contains(component) } == [.llm, .full], "\(name)")
    }
  }

  @Test("every recipe comes after those that it contains")
  func bySize() {
    #expect(Set(Recipe.bySize) == Set(Recipe.allCases) && Recipe.bySize.count == Recipe.allCases.count)
    let taken = Recipe.bySize.map { recipe in
      Set(Zoo.all.flatMap { zoo in zoo.taken(by: recipe).map { "\(zoo.family) \($0)" } })
    }
    for i in taken.indices {
      for j in taken.indices.dropFirst(i + 1) {
        #expect(!taken[j].isSubset(of: taken[i]), "\(Recipe.bySize[j]) is in \(Recipe.bySize[i])")
        let isNested = taken[i].isSubset(of: taken[j])
        // What these share is documented.
        let isKnown = Recipe.bySize[j] == .experts && [.gateUp, .down].contains(Recipe.bySize[i])
        #expect(isKnown != (isNested || taken[i].isDisjoint(with: taken[j])), "\(Recipe.bySize[i]) \(Recipe.bySize[j])")
      }
    }
  }

  @Test("the smallest covering recipe, for random changes", arguments: Zoo.all)
  func smallest(zoo: Zoo) throws {
    var random = TestRandom(UInt64(zoo.family.utf8.count))
    let model = zoo.components
    let sets = Recipe.allCases.map { recipe in (recipe, Set(model.filter(recipe.contains))) }
    for (_, inside) in sets where !inside.isEmpty {
      for _ in 0..<4 {
        let count = 1 + Int(random.next() % UInt64(inside.count))
        let changed = Array(inside.sorted().shuffled(using: &random).prefix(count))
        let found = try #require(Recipe.recognise(changed: changed, of: model))
        let covering = sets.filter { $0.1.isSuperset(of: changed) }
        let size = try #require(covering.first { $0.0 == found }?.1.count)
        // `experts` may be smaller than `down`, which is preferred.
        let smaller = covering.filter { $0.1.count < size }.map(\.0)
        #expect(smaller.isEmpty || (found == .down && smaller == [.experts]), "\(found) \(smaller)")
      }
    }
  }
}
