import Base

extension TrainingRecord {
  /// A few lines of text: tuned components, data, settings and results.
  package var lines: [(key: String, value: String)] {
    var lines = [("trained", "\(tunedText) in \(Format.counted(steps, "step")), \(paceText)")]
    lines += data.map { ("on", $0.text) }
    if !settings.isEmpty { lines.append(("with", settingsText)) }
    lines.append(("kernels", kernels))
    if let text = curve.text { lines.append(("loss", text)) }
    if let last = drift?.points.last {
      let budget = driftBudget.map { ", budget \(Format.plain($0))" } ?? ""
      lines.append(
        ("drifted", "KL \(Format.significant(last.drift.value)) nats per token at step \(last.step)\(budget)"))
    }
    if let validation, let first = validation.points.first, let last = validation.points.last {
      lines.append(
        (
          "validation",
          "\(Format.significant(first.loss)) → \(Format.significant(last.loss)) on "
            + Format.counted(validation.rows, "row")
        ))
    }
    if let stopped { lines.append(("stopped", "before its end: \(stopped)")) }
    return lines
  }

  /// "sa-proj", "tensors that match REGEX", "mlp of layers 0-5".
  package var tunedText: String {
    let what =
      switch tuned {
      case .recipe(let name): name
      case .only(let pattern): "tensors that match \(pattern)"
      }
    return what + (layers.map { " of layers \($0)" } ?? "")
  }

  /// "84,012 tokens in 3 min 1 s, 464 a second"
  package var paceText: String {
    "\(Format.counted(tokens, "token")) in \(Format.duration(seconds)), \(Format.significant(tokensPerSecond)) a second"
  }

  private var settingsText: String {
    settings.map { "\($0.key) \($0.value.string ?? $0.value.compact())" }.joined(separator: ", ")
  }
}

extension TrainingRecord.DataSet {
  /// "counting.jsonl: 1,200 rows, 84,012 tokens, 31,207 of them answers"
  package var text: String {
    "\(name): \(Format.counted(rows, "row")), \(Format.counted(tokens, "token")), "
      + "\(Format.grouped(answerTokens)) of them answers" + (cut > 0 ? ", \(Format.grouped(cut)) rows cut" : "")
  }
}

extension TrainingCurve {
  /// "2.31 → 0.842"; nil for an empty curve.
  package var text: String? {
    guard let first = losses.first, let last = losses.last else { return nil }
    return "\(Format.significant(first)) → \(Format.significant(last))"
  }
}
