import PatchFormat

/// What is known of metrics by name, since results files do not say it.
enum KnownMetric {
  /// Which metric of a task speaks for it, the first that is there: the length-normalised accuracy where there is one
  /// (as the Open LLM Leaderboard takes it), else what the task's authors call right, else a score, else a loss.
  static let preferred: [String] = [
    "acc_norm", "exact_match", "acc", "mmmu_acc", "prompt_level_strict_acc", "pass@1", "em", "anls", "relaxed_overall",
    "seed_all", "average", "pope_accuracy", "accuracy", "f1", "word_perplexity", "perplexity", "bits_per_byte",
  ]

  /// Which way of taking the answer from the text, the first that is there.
  static let preferredFilters: [String?] = [nil, "strict-match", "flexible-extract", "get-answer", "custom-extract"]

  static func unit(of metric: String, task: String) -> MeasurementUnit {
    if metric.contains("perplexity") { return .perplexity }
    switch metric {
    case "bits_per_byte": return .bits
    case "anls", "relaxed_overall", "seed_all", "em", "f1", "pass@1", "mc1", "mc2", "exact_match", "quasi_exact_match":
      return .share
    // MMStar's mean over its six categories; other tasks call other things so.
    case "average": return task.hasPrefix("mmstar") ? .share : .score
    default:
      let words = metric.split(separator: "_")
      return words.contains("acc") || words.contains("accuracy") ? .share : .score
    }
  }
}
