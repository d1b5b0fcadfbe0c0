/// Parts that wrappers around a module put into the names of its tensors, at any place in them.
enum ModuleWrappers {
  enum Certainty { case certain, likely }

  /// Of torch.compile, activation checkpointing, FSDP, Lightning: no model names its own so.
  private static let certain: Set<Substring> = [
    "_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module", "_fpw_module", "_forward_module",
  ]
  /// Of DataParallel, DDP and DeepSpeed, TRL's around a value head, PEFT's around what is trained whole: some models have
  /// such a module of their own.
  private static let likely: Set<Substring> = ["module", "pretrained_model", "modules_to_save"]

  package static func removed(from name: String, _ certainty: Certainty) -> String {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    let kept = parts.indices.filter { i in
      if certain.contains(parts[i]) { return false }
      guard certainty == .likely else { return true }
      // PEFT names the adapter behind its wrapper.
      return !likely.contains(parts[i]) && !(parts[i] == "default" && i > 0 && parts[i - 1] == "modules_to_save")
    }.map { parts[$0] }
    return kept.count == parts.count || kept.isEmpty ? name : kept.joined(separator: ".")
  }
}
