/// Properties of well-known metrics, since results files lack them.
enum KnownMetric {
  /// The main metric of a task is the first of these that it has: length-normalised accuracy (as in the Open LLM
  /// Leaderboard), then other measures of right answers, then scores, then losses.
  static let preferred: [String] = [
    "acc_norm", "exact_match", "acc", "mmmu_acc", "prompt_level_strict_acc", "pass@1", "em", "anls", "relaxed_overall",
    "seed_all", "average", "pope_accuracy", "accuracy", "f1", "word_perplexity", "perplexity", "bits_per_byte",
  ]

  /// The main filter is the first of these that the task has.
  static let preferredFilters: [String?] = [nil, "strict-match", "flexible-extract", "get-answer", "custom-extract"]

  static func unit(of metric: String, task: String) -> MeasurementUnit {
    if metric.contains("perplexity") { return .perplexity }
    switch metric {
    case "bits_per_byte": return .bits
    case "anls", "relaxed_overall", "seed_all", "em", "f1", "pass@1", "mc1", "mc2", "exact_match", "quasi_exact_match":
      return .share
    // MMStar's mean over its six categories; other tasks use the name differently.
    case "average": return task.hasPrefix("mmstar") ? .share : .score
    default:
      let words = metric.split(separator: "_")
      return words.contains("acc") || words.contains("accuracy") ? .share : .score
    }
  }

  /// Whether a higher value is better, as registered in lm-evaluation-harness (HIGHER_IS_BETTER_REGISTRY in
  /// lm_eval/api/metrics.py of 0.4.9). Its files contain this from 0.4.3. Nil for other metrics. "ter", an error rate
  /// that is wrongly registered as better when higher, is left out.
  static func higherIsBetter(_ metric: String) -> Bool? {
    switch metric {
    case "acc", "acc_norm", "acc_mutual_info", "acc_all", "exact_match", "mcc", "f1", "bleu", "chrf": true
    case "perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score": false
    default: nil
    }
  }

  /// Whether every item's score is 0 or 1, so that the number of items follows from value and standard error.
  static func isBinary(_ metric: String) -> Bool {
    ["acc", "acc_norm", "acc_mutual_info", "exact_match"].contains(metric)
  }
}
