import Base
import Checkpoints

/// The parameters of the running model that a checkpoint becomes: what `model.named_parameters()` lists in
/// transformers 5. Fused experts are one parameter, made of many tensors of the checkpoint.
///
/// transformers looks up its conversions by the class and the model type of the model and of its parts. So does this.
package struct RuntimeModel: Sendable {
  package struct Parameter: Hashable, Sendable {
    package let name: String
    /// The indexes of the checkpoint's tensors that have elements of it.
    package let tensors: [Int]
    /// Number of axes.
    package let rank: Int
  }

  package let parameters: [Parameter]
  /// The layout of the parameters' names.
  package let layout: ModelLayout

  /// - Parameters:
  ///   - tensors: those of the checkpoint, without buffers.
  ///   - config: the checkpoint's config.json.
  package init(_ tensors: [TensorInfo], config: JSON) {
    let type = config["model_type"]?.string ?? ""
    var names = ConvertedNames(tensors.map(\.name))
    func convert(_ family: ConversionFamily?, below path: String? = nil) {
      guard let family else { return }
      names = (path.map { names.converted(by: family, below: $0) } ?? names.converted(by: family)) ?? names
    }
    let architecture = config["architectures"]?.array?.first?.string
    convert(
      ConversionFamily.named(architecture ?? "") ?? ConversionFamily.ofClass(type + "ForConditionalGeneration")
        ?? ConversionFamily.named(type))
    convert(ConversionFamily.ofClass(type + "Model"), below: "model")
    for (part, paths) in Self.parts {
      guard let type = config[part]?["model_type"]?.string,
        let path = paths.first(where: { path in names.entries.contains { $0.name.hasPrefix(path + ".") } })
      else { continue }
      convert(
        ConversionFamily.ofClass(type) ?? ConversionFamily.ofClass(type + "Model") ?? ConversionFamily.named(type),
        below: path)
    }
    convert(ConversionFamily.named("legacy"))

    let prefix = Self.missingPrefix(names.names)
    let all = names.entries.map { name, origin in
      var members: [Int]
      var isStacked = false
      switch origin {
      case .stored(let index): members = [index]
      case .part(let group, _):
        members = names.groups[group].members.flatMap(\.values).sorted()
        isStacked = names.groups[group].converter.arrangement.isStacked
      }
      let rank = (members.first.map { tensors[$0].shape.count } ?? 0) + (isStacked ? 1 : 0)
      return Parameter(name: prefix(name), tensors: members, rank: rank)
    }
    let layout = ModelLayout.recognise(names: all.map(\.name))
    self.layout = layout
    let isTied = (config["tie_word_embeddings"] ?? config["text_config"]?["tie_word_embeddings"])?.bool == true
    // A tied head is the embedding, and no parameter of its own.
    parameters = all.filter { !isTied || layout.component(of: $0.name).region != .head }
  }

  /// The parts of a config that describe models in the model, and where these are.
  private static let parts = [
    ("text_config", ["model.language_model", "language_model", "model.text_model"]),
    ("vision_config", ["model.vision_tower", "model.visual", "model.vision_model", "vision_tower", "visual"]),
  ]

  /// A checkpoint of a model without its head lacks the name of the model in the model with a head.
  private static func missingPrefix(_ names: [String]) -> (String) -> String {
    let layout = ModelLayout.recognise(names: names)
    guard layout.name.hasSuffix("(base model)") else { return { $0 } }
    let prefix = layout.name.hasPrefix("gpt2") ? "transformer." : "model."
    return { name in
      name.hasPrefix(prefix) || layout.component(of: name).region == .head ? name : prefix + name
    }
  }
}

extension ConversionFamily {
  /// The family of a model type or class.
  fileprivate static func named(_ name: String) -> ConversionFamily? { known.first { $0.names.contains(name) } }

  /// The family of a class whose name is that of a model type in other spelling: `siglip_vision_model` and
  /// `SiglipVisionModel`.
  fileprivate static func ofClass(_ name: String) -> ConversionFamily? { byClass[plain(name)] }

  private static let byClass = Dictionary(
    known.flatMap { family in
      family.names.filter { $0.first?.isUppercase == true }.map { (plain($0), family) }
    }
  ) { first, _ in first }

  private static func plain(_ name: String) -> String { name.lowercased().filter { $0 != "_" } }
}
