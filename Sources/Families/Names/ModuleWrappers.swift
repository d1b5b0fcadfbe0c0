/// Parts that module wrappers add to tensor names, at any position.
enum ModuleWrappers {
  enum Certainty { case certain, likely }

  /// Added by torch.compile, activation checkpointing, FSDP, Lightning. No model uses these names itself.
  private static let certain: Set<Substring> = [
    "_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module", "_fpw_module", "_forward_module",
  ]
  /// Added by DataParallel, DDP and DeepSpeed, TRL's value head wrapper, and PEFT's modules_to_save. Some models have
  /// modules with these names.
  private static let likely: Set<Substring> = ["module", "pretrained_model", "modules_to_save"]

  package static func removed(from name: String, _ certainty: Certainty) -> String {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    let kept = parts.indices.filter { i in
      if certain.contains(parts[i]) { return false }
      guard certainty == .likely else { return true }
      // PEFT puts the adapter's name after its wrapper.
      return !likely.contains(parts[i]) && !(parts[i] == "default" && i > 0 && parts[i - 1] == "modules_to_save")
    }.map { parts[$0] }
    return kept.count == parts.count || kept.isEmpty ? name : kept.joined(separator: ".")
  }
}

extension ModelLayout {
  /// A tensor's name without the parts that torch.compile, activation checkpointing, FSDP, DDP and others add.
  package static func nameWithoutWrappers(_ name: String) -> String { ModuleWrappers.removed(from: name, .likely) }
}
