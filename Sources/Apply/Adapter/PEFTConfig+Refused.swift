import Base
import Checkpoints

extension PEFTConfig {
  /// Members that make the change something else than scale · B · A, with what that is. PEFT 0.21.2 writes them.
  private static let otherChanges: [(key: String, what: String, canMerge: Bool)] = [
    ("use_dora", "DoRA, which also scales each row", true),
    ("use_qalora", "QA-LoRA, whose factors are for groups of columns of a quantised base", false),
    ("use_bdlora", "BD-LoRA, whose factors are block-diagonal", true),
    ("kasa_config", "KaSA, which also changes the base's weights", true),
    ("monteclora_config", "MonteCLoRA, whose adapter has further parts", true),
    ("velora_config", "VeLoRA, whose adapter has further parts", true),
    ("alora_invocation_tokens", "an activated LoRA, which applies after certain tokens only", false),
    ("arrow_config", "Arrow, which chooses between several adapters for each token", false),
    ("layer_replication", "a LoRA over repeated layers, which the base does not have", false),
    ("megatron_config", "a LoRA of Megatron's parallel layers", true),
  ]
  /// Types that change no weights, or other ones for each input. PEFT cannot merge them.
  private static let unmergeable: Set<String> = [
    "PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT", "CARTRIDGE", "ADAPTION_PROMPT",
    "XLORA", "POLY", "SHADOW",
  ]
  /// Values of `init_lora_weights` that leave the base as it is.
  private static let plainStarts = ["gaussian", "eva", "orthogonal", "mica"]

  /// - Throws: `refused` for another kind of adapter, with the way that works.
  static func requireLoRA(_ members: ObjectReader<VPatchError>, _ path: String) throws {
    guard let type = try members.optionalText("peft_type") else {
      throw VPatchError(
        .invalid, path, "has no \"peft_type\", so it is unknown how the adapter changes a model",
        remedy: "save it with PEFT's save_pretrained")
    }
    guard type == "LORA" else {
      let canMerge = !unmergeable.contains(type)
      throw refused(
        path,
        "is an adapter of the type \(type.printable), "
          + (canMerge ? "whose change is not a product of two factors" : "which leaves the weights as they are"),
        canMerge)
    }
    for (key, what, canMerge) in otherChanges {
      guard let value = members.optional(key), value != .bool(false), value.array?.isEmpty != true else { continue }
      throw refused(path, "is \(what) (\"\(key)\")", canMerge)
    }
    guard let start = members.optional("init_lora_weights"), start.bool == nil else { return }
    guard let name = start.string, plainStarts.contains(name) else {
      throw refused(
        path,
        "was started with \"init_lora_weights\": \(start.compact().printable), which changes the base's weights too",
        true)
    }
  }

  private static func refused(_ path: String, _ reason: String, _ canMerge: Bool) -> VPatchError {
    VPatchError(
      .refused, Path.parent(path), reason,
      remedy: canMerge
        ? OtherForm.mergeRemedy : "no patch can do the same: load it with PEFT beside the model")
  }
}
