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

  /// Whether a higher value is better, by name: what lm-evaluation-harness registers (HIGHER_IS_BETTER_REGISTRY, in
  /// lm_eval/api/metrics.py of 0.4.9). Its files say it themselves from 0.4.3 on. Nil for other metrics. Its "ter", an
  /// error rate that is registered as better when higher, is left out.
  static func higherIsBetter(_ metric: String) -> Bool? {
    switch metric {
    case "acc", "acc_norm", "acc_mutual_info", "acc_all", "exact_match", "mcc", "f1", "bleu", "chrf": true
    case "perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score": false
    default: nil
    }
  }

  /// Whether every item's score is 0 or 1, so that value and standard error say how many items there are.
  static func isBinary(_ metric: String) -> Bool {
    ["acc", "acc_norm", "acc_mutual_info", "exact_match"].contains(metric)
  }
}
