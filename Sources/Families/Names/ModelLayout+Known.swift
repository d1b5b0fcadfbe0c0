/// The known layouts, as data. A new model family is a new row.
///
/// More specific layouts come first. In a row, rules with longer prefixes come first, since a shorter prefix may match
/// the same names.
extension ModelLayout {
  package static let known: [ModelLayout] = [
    // LLaVA as saved by its authors' code (liuhaotian, lmms-lab).
    ModelLayout(
      "llava (lmms-lab)", marks: ["model.mm_projector", "model.vision_tower"],
      [
        Rule("model.mm_projector", .sequentialProjector),
        Rule("model.image_newline", .imageNewline),
        Rule("model.vision_resampler", .resampler),
        Rule("model", .languageModel),
        Rule("lm_head", .head),
      ] + tower("model.vision_tower.vision_tower") + tower("model.vision_tower")),

    ModelLayout(
      "llava (transformers ≥ 4.52)", marks: ["model.multi_modal_projector", "model.vision_tower"],
      llava("model.", language: "model.language_model", head: "lm_head")),
    ModelLayout(
      "llava (hub)", marks: ["multi_modal_projector", "vision_tower"],
      llava("", language: "language_model.model", head: "language_model.lm_head")),
    // The base model class, without a head.
    ModelLayout(
      "llava (base model)", marks: ["multi_modal_projector", "vision_tower"],
      llava("", language: "language_model", head: "lm_head")),

    ModelLayout(
      "qwen2.5-vl (transformers ≥ 4.52)", marks: ["model.visual"],
      qwenVL("model.visual", language: "model.language_model")),
    ModelLayout("qwen2.5-vl (hub)", marks: ["visual"], qwenVL("visual", language: "model")),
    ModelLayout(
      "qwen2.5-vl (base model)", marks: ["visual"], qwenVL("visual", language: "language_model")),

    // The language model alone, including one extracted from a larger model.
    ModelLayout("llama", [Rule("model", .languageModel), Rule("lm_head", .head)]),
    ModelLayout(
      "llama (model.language_model)",
      [Rule("model.language_model", .languageModel), Rule("lm_head", .head)]),
    ModelLayout(
      "llama (language_model.model)",
      [Rule("language_model.model", .languageModel), Rule("language_model.lm_head", .head)]),
    ModelLayout("llama (base model)", [Rule("", .languageModel), Rule("lm_head", .head)]),
  ]

  /// Used if no known layout fits: every tensor is `.other`.
  static let generic = ModelLayout("generic", [])

  private static func llava(_ prefix: String, language: String, head: String) -> [Rule] {
    [
      Rule(prefix + "multi_modal_projector", .projector(root: "multi_modal_projector")),
      Rule(prefix + "image_newline", .imageNewline),
      Rule(language, .languageModel),
      Rule(head, .head),
    ] + tower(prefix + "vision_tower")
  }

  /// CLIP and SigLIP towers, whose path has no `vision_model` since transformers 5.6; DINOv2, whose blocks are below
  /// `encoder.layer`.
  private static func tower(_ tower: String) -> [Rule] {
    [
      Rule(tower + ".vision_model", .visionTower(blocks: ["encoder.layers"])),
      Rule(tower, .visionTower(blocks: ["encoder.layers", "encoder.layer"])),
    ]
  }

  /// Qwen's tower contains its projector: the merger (several in Qwen3-VL).
  private static func qwenVL(_ visual: String, language: String) -> [Rule] {
    [
      Rule(visual + ".merger", .projector(root: "visual.merger")),
      Rule(visual + ".deepstack_merger_list", .projector(root: "visual.deepstack_merger_list")),
      Rule(visual, .visionTower(blocks: ["blocks"])),
      Rule(language, .languageModel),
      Rule("lm_head", .head),
    ]
  }
}
