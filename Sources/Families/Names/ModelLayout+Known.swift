/// The known layouts, as data. A new model family is a new row.
///
/// More specific layouts come first. In a row, rules with longer prefixes come first, since a shorter prefix may match
/// the same names.
extension ModelLayout {
  package static let known: [ModelLayout] = visionLanguage + text

  /// Used if no known layout fits: every tensor is `.other`.
  static let generic = ModelLayout("generic", [])

  // MARK: Vision-language models

  private static let visionLanguage: [ModelLayout] = [
    // LLaVA as saved by its authors' code (liuhaotian, lmms-lab).
    ModelLayout(
      "llava (lmms-lab)", marks: ["model.mm_projector", "model.vision_tower"],
      [
        Rule("model.mm_projector", .sequentialProjector),
        Rule("model.image_newline", .imageNewline),
        Rule("model.vision_resampler", .resampler),
      ] + language("model") + tower("model.vision_tower.vision_tower") + tower("model.vision_tower")),

    ModelLayout(
      "llava (transformers ≥ 4.52)",
      marks: [
        "model.multi_modal_projector", "model.vision_tower", "model.vision_model", "model.embed_vision",
        "model.aligner",
      ],
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
      qwenVL("model.visual", language("model.language_model"))),
    ModelLayout("qwen2.5-vl (hub)", marks: ["visual"], qwenVL("visual", language("model"))),
    ModelLayout(
      "qwen2.5-vl (base model)", marks: ["visual"], qwenVL("visual", language("language_model"))),
    // The talker beside the thinker is another language model.
    ModelLayout(
      "qwen-omni",
      qwenVL("thinker.visual", language("thinker.model", head: "thinker.lm_head"))),

    ModelLayout(
      "idefics3", marks: ["model.vision_model", "model.connector"], idefics("model.", language: "model.text_model")),
    ModelLayout("idefics3 (base model)", marks: ["vision_model", "connector"], idefics("", language: "text_model")),
    // InternVL and Janus as their authors' code saves them.
    ModelLayout(
      "internvl", marks: ["mlp1", "aligner", "vision_model"],
      llava("", language: "language_model.model", head: "language_model.lm_head")),
    ModelLayout(
      "minicpm-v", marks: ["vpm", "resampler"],
      [Rule("resampler", .resampler)] + language("llm.model", head: "llm.lm_head") + tower("vpm")),
    ModelLayout(
      "deepseek-vl2", marks: ["vision", "projector"],
      [Rule("projector", .projector(root: "projector")), Rule("vision", .visionTower(blocks: ["blocks"]))]
        + language("language.model", head: "language.lm_head")),
    ModelLayout(
      "phi-3-vision", marks: ["model.vision_embed_tokens"],
      phiVision("model.vision_embed_tokens", processor: "img_processor")),
    ModelLayout(
      "phi-4-multimodal", marks: ["model.embed_tokens_extend"],
      phiVision("model.embed_tokens_extend.image_embed", processor: "img_processor")),
    ModelLayout(
      "molmo", marks: ["model.vision_backbone"],
      [
        Rule("model.vision_backbone.image_projector", .projector(root: "image_projector")),
        Rule("model.vision_backbone", .visionTower(blocks: ["image_vit.transformer.resblocks"])),
      ] + language("model.transformer", layers: "blocks", head: "model.transformer.ff_out")),
    ModelLayout(
      "qwen-vl", marks: ["transformer.visual"],
      [Rule("transformer.visual", .visionTower(blocks: ["transformer.resblocks"]))]
        + language("transformer", layers: "h")),
  ]

  private static func llava(_ prefix: String, language model: String, head: String) -> [Rule] {
    ["multi_modal_projector", "embed_vision", "mm_projector", "projector", "aligner", "mlp1"].map {
      Rule(prefix + $0, .projector(root: $0))
    }
      + [Rule(prefix + "image_newline", .imageNewline)] + language(model, head: head)
      + tower(prefix + "vision_tower") + tower(prefix + "vision_model")
  }

  /// CLIP and SigLIP towers, whose path has no `vision_model` since transformers 5.6; DINOv2, whose blocks are below
  /// `encoder.layer`; Pixtral; Llama 4.
  private static func tower(_ tower: String) -> [Rule] {
    [
      Rule(tower + ".vision_model", .visionTower(blocks: ["encoder.layers"])),
      Rule(tower, .visionTower(blocks: ["encoder.layers", "encoder.layer", "transformer.layers", "model.layers"])),
    ]
  }

  /// Qwen's tower contains its projector: the merger (several in Qwen3-VL).
  private static func qwenVL(_ visual: String, _ language: [Rule]) -> [Rule] {
    [
      Rule(visual + ".merger", .projector(root: "visual.merger")),
      Rule(visual + ".deepstack_merger_list", .projector(root: "visual.deepstack_merger_list")),
      Rule(visual, .visionTower(blocks: ["blocks"])),
    ] + language
  }

  private static func idefics(_ prefix: String, language model: String) -> [Rule] {
    [Rule(prefix + "connector", .projector(root: "connector"))] + language(model) + tower(prefix + "vision_model")
  }

  private static func phiVision(_ path: String, processor: String) -> [Rule] {
    [
      Rule(path + ".img_projection", .projector(root: "img_projection")),
      Rule(path, .visionTower(blocks: [processor + ".vision_model.encoder.layers", processor + ".encoder.layers"])),
    ] + language("model")
  }

  // MARK: Language models

  /// The language model alone, including one extracted from a larger model.
  private static let text: [ModelLayout] = [
    ModelLayout("llama", language("model")),
    ModelLayout("llama (model.language_model)", language("model.language_model")),
    ModelLayout("llama (language_model.model)", language("language_model.model", head: "language_model.lm_head")),
    ModelLayout("llama (text_model.model)", language("text_model.model", head: "text_model.lm_head")),
    // Nemotron-H.
    ModelLayout("llama (backbone)", language("backbone")),
    ModelLayout("opt", language("model.decoder")),
    ModelLayout("opt (base model)", language("decoder")),
    // BLOOM, Falcon, GPT-J, Qwen and StarCoder too.
    ModelLayout("gpt2", language("transformer", layers: "h")),
    ModelLayout("gpt2 (base model)", language("", layers: "h")),
    ModelLayout("gpt-neox", language("gpt_neox")),
    // DBRX too.
    ModelLayout("mpt", language("transformer", layers: "blocks")),
    ModelLayout("olmo", language("model.transformer", layers: "blocks", head: "model.transformer.ff_out")),
    ModelLayout(
      "chatglm",
      language("transformer.encoder", head: "transformer.output_layer")
        + [Rule("transformer.embedding", .languageModel())]),
    ModelLayout("llama (base model)", language("")),
  ]

  /// A language model at this path: its layers, its head under one of the names in use, multi-token prediction.
  private static func language(_ path: String, layers: String = "layers", head: String = "lm_head") -> [Rule] {
    let inner = path.isEmpty ? "" : path + "."
    return [inner + "mtp", inner + "mtp_layers", "mtp"].map { Rule($0, .prediction) }
      + [Rule(path, .languageModel(layers: layers))]
      // GPT-NeoX, InternLM2.
      + [head, "lm_head", "embed_out", "output"].map { Rule($0, .head) }
  }
}
