import Apply
import Base
import Families
import Model

/// The tensors to tune: whole, or by factors.
package struct TuningPlan: Sendable {
  /// Tensors of the model that change.
  package let targets: [Parameter]
  /// Their factors, where these are tuned instead (LoRA), in the same order; otherwise empty.
  package let factors: [LowRankFactors]
  /// Selected tensors that have no factors and stay as they are: norms, biases.
  package let leftOut: [String]
  /// Number of weights in the whole model.
  package let modelWeights: Int
  package let layout: ModelLayout

  /// What the optimizer tunes.
  package var parameters: [Parameter] { factors.isEmpty ? targets : factors.flatMap(\.parameters) }
  package var names: [String] { targets.map(\.name) }
  /// Number of weights that the optimizer tunes.
  package var weights: Int { parameters.reduce(0) { $0 + $1.count } }
  package var share: Double { Double(weights) / Double(max(1, modelWeights)) }

  /// - Throws: `refused` if no tensor is selected.
  /// - Parameter model: its selected tensors are tuned, except those that its output does not depend on.
  package init(_ model: LanguageModel, _ options: TrainingOptions) throws {
    let weights = model.weights
    layout = weights.layout
    let all = weights.parameters
    modelWeights = all.reduce(0) { $0 + $1.count }
    let selected = Set(options.selection.filter(all.map(\.name), in: layout).map(\.bytesKey))
    var chosen = all.filter { selected.contains($0.name.bytesKey) }
    let path = weights.view.path
    guard !chosen.isEmpty else {
      throw VPatchError(
        .refused, path, "has no tensor of \(options.selection)",
        remedy: Self.remedy(options.selection, all, layout))
    }
    let used = Set(model.used.map(\.name.bytesKey))
    chosen.removeAll { !used.contains($0.name.bytesKey) }
    guard !chosen.isEmpty else {
      throw VPatchError(
        .refused, path, "has no tensors of \(options.selection) except those that its output does not depend on",
        remedy: "choose layers that the model uses")
    }
    if let layers = options.layers {
      let found = chosen.compactMap { [layout] in layout.component(of: $0.name).layer }
      chosen = chosen.filter { [layout] in layout.component(of: $0.name).layer.map(layers.contains) ?? false }
      guard !chosen.isEmpty else {
        throw VPatchError(
          .refused, path, "has no tensor to tune in layers \(layers.lowerBound) to \(layers.upperBound)",
          remedy: found.isEmpty ? nil : "\(options.selection) is in layers \(found.min()!) to \(found.max()!)")
      }
    }
    guard let lora = options.lora else {
      (targets, factors, leftOut) = (chosen, [], [])
      return
    }
    let places = try FactorPlaces(model, chosen, lora)
    targets = places.targets
    leftOut = places.leftOut
    factors = places.factors(lora, seed: options.seed)
  }

  private static func remedy(_ selection: Selection, _ all: [Parameter], _ layout: ModelLayout) -> String {
    guard case .only = selection, let middle = all.dropFirst(all.count / 2).first else {
      let components = all.map { layout.component(of: $0.name) }
      let found = Recipe.allCases.filter { components.contains(where: $0.contains) }
      return "recipes that have tensors in it are " + found.map(\.rawValue).joined(separator: ", ")
    }
    return "a pattern has to match whole names, such as \(middle.name.printable)"
  }

  /// Whether everything that is tuned processes images only.
  var tunesVisionOnly: Bool {
    targets.allSatisfy { [.visionTower, .projector].contains(layout.component(of: $0.name).region) }
  }

  /// Factor of the learning rate for each tensor: 1, except in the vision tower.
  func learningRateShares(_ options: TrainingOptions) -> [Double] {
    // Factors are in the decoder only.
    guard factors.isEmpty else { return parameters.map { _ in 1 } }
    let share = (options.visionLearningRate ?? 0.4 * options.learningRate) / options.learningRate
    return targets.map { layout.component(of: $0.name).region == .visionTower ? share : 1 }
  }

  /// Tensors and weights per module, with their layers.
  package var groups: [Group] {
    var order: [String] = []
    var groups: [String: Group] = [:]
    for (i, target) in targets.enumerated() {
      let component = layout.component(of: target.name)
      let key = "\(component.region) \(component.name)"
      if groups[key] == nil {
        order.append(key)
        groups[key] = Group(name: component.name, tensors: 0, weights: 0, layers: [])
      }
      groups[key]!.tensors += 1
      groups[key]!.weights += factors.isEmpty ? target.count : factors[i].a.count + factors[i].b.count
      if let layer = component.layer, !groups[key]!.layers.contains(layer) { groups[key]!.layers.append(layer) }
    }
    return order.map { groups[$0]! }
  }

  package struct Group: Equatable, Sendable {
    package let name: String
    package var tensors: Int
    package var weights: Int
    package var layers: [Int]
  }
}
