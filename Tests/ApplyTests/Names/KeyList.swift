import Foundation

@testable import Apply
@testable import Families

/// The names and sizes of one model's tensors, from `fixtures/keys`.
struct KeyList: Sendable {
  let tensors: [(name: String, weights: Int)]
  let names: [String]
  let layout: ModelLayout

  private init(tensors: [(name: String, weights: Int)]) {
    self.tensors = tensors
    names = tensors.map(\.name)
    layout = ModelLayout.recognise(names: names)
  }

  init(_ file: String) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../fixtures/keys").standardized
    let text = try String(contentsOf: folder.appending(path: "\(file).tsv"), encoding: .utf8)
    self.init(
      tensors: text.split(separator: "\n").map { line in
        let fields = line.split(separator: "\t")
        return (String(fields[0]), fields[1].split(separator: "x").reduce(1) { $0 * Int($1)! })
      })
  }

  /// The same list, each name rewritten by the first rule whose prefix it has.
  func renamed(_ prefixes: KeyValuePairs<String, String>) -> KeyList {
    KeyList(
      tensors: tensors.map { tensor in
        guard let rule = prefixes.first(where: { tensor.name.hasPrefix($0.key) }) else {
          return tensor
        }
        return (rule.value + tensor.name.dropFirst(rule.key.count), tensor.weights)
      })
  }

  /// The names and the count of weights that a recipe takes.
  func taken(by recipe: Recipe) -> (names: [String], weights: Int) {
    let taken = tensors.filter { recipe.contains(layout.component(of: $0.name)) }
    return (taken.map(\.name), taken.reduce(0) { $0 + $1.weights })
  }

  static let all = [
    "Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-7B-Instruct", "llava-onevision-qwen2-0.5b-ov-hf",
    "llava-onevision-qwen2-7b-ov-hf", "llava-v1.6-mistral-7b-hf",
    "lmms-lab_llava-onevision-qwen2-7b-ov", "tiny-llama", "tiny-llava-next",
    "tiny-llava-onevision", "tiny-qwen2", "tiny-qwen2.5-vl",
  ]

  /// What transformers ≥ 4.52 makes of a hub name, as its conversion mapping says.
  static let llavaIn452: KeyValuePairs = [
    "language_model.model.": "model.language_model.", "language_model.lm_head.": "lm_head.",
    "vision_tower.": "model.vision_tower.",
    "multi_modal_projector.": "model.multi_modal_projector.",
    "image_newline": "model.image_newline",
  ]
  static let qwenIn452: KeyValuePairs = [
    "visual.": "model.visual.", "model.": "model.language_model.",
  ]
}
