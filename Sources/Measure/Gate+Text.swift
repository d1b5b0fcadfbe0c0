import Base

extension Gate.Outcome {
  /// The verdict in one sentence.
  package var sentence: String {
    let check = decisive
    return switch verdict {
    case .passed: "passed: " + checks.map { "\($0.what) \($0.detail)" }.joined(separator: "; ")
    case .exceeded: "exceeded: \(check.what) \(check.detail)"
    case .undecided: "undecided: \(check.what) \(check.detail)"
    case .unmeasured, .reported, .predicted: "\(verdict.rawValue): \(check.what) \(check.detail)"
    }
  }

  package var json: JSON {
    .dictionary([
      "verdict": .string(verdict.rawValue), "passed": .bool(verdict == .passed), "sentence": .string(sentence),
      "checks": .array(
        checks.map {
          .dictionary([
            "what": .string($0.what), "verdict": .string($0.verdict.rawValue), "detail": .string($0.detail),
            "items_needed": $0.itemsNeeded.map { JSON($0) },
          ])
        }),
    ])
  }
}
