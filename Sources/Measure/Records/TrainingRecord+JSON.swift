// The annotation "training" (spec, section 7.3):
//
//   {"recipe": "sa-proj" (or "only": a regular expression), "layers": "0-5",
//    "data": [{"name": "counting.jsonl", "sha256": digest, "rows": 1200, "tokens": 84012, "answer_tokens": 31207,
//              "cut": 0}],
//    "settings": {"lr": 2e-05, "schedule": "cosine", "batch": 8, "seed": 0, "max_drift": 0.02, …},
//    "kernels": "OpenBLAS 0.3.21 SkylakeX, AVX-512", "steps": 150, "tokens": 84012, "seconds": 181.2,
//    "tokens_per_second": 463.6, "stopped": null or "max-drift",
//    "curve": {"step": [1, 2, …], "loss": [2.31, 2.28, …], "lr": [2e-06, 4e-06, …], "gradient_norm": [9.1, 8.7, …]},
//    "drift": {"step": [0, 25, …], "kl": [0, 0.0021, …], "low": [0, 0.0018, …], "high": [0, 0.0024, …]},
//    "validation": {"rows": 20, "step": [0, 25, …], "loss": [2.33, 1.02, …]},
//    "samples": [{"prompt": text, "expected": text, "before": text, "after": text}, …]}
//
// Valid if and only if (1) exactly one of recipe and only is present, (2) data, kernels, steps, tokens, seconds,
// tokens_per_second and curve are present and of the right type, (3) counts are within 0 … 10¹⁵, steps at least 1, (4)
// a data set has no more answer tokens than tokens, and no more cut rows than rows, (5) settings are plain values, (6)
// seconds and tokens_per_second are not negative, (7) the lists of a curve have one length, at most 10,000, steps
// ascending, numbers finite, (8) each low ≤ kl ≤ high, (9) samples, if present, have four texts each.

import Base

extension TrainingRecord {
  package var json: JSON {
    let (key, value) =
      switch tuned {
      case .recipe(let name): ("recipe", name)
      case .only(let pattern): ("only", pattern)
      }
    let known = JSON.dictionary([
      "layers": layers.map { .string($0) },
      "data": .array(
        data.map {
          .dictionary([
            "name": .string($0.name), "sha256": .string($0.digest.hex), "rows": JSON($0.rows),
            "tokens": JSON($0.tokens), "answer_tokens": JSON($0.answerTokens), "cut": JSON($0.cut),
          ])
        }),
      "settings": .object(settings), "kernels": .string(kernels), "steps": JSON(steps), "tokens": JSON(tokens),
      "seconds": JSON(seconds), "tokens_per_second": JSON(tokensPerSecond),
      "stopped": stopped.map { .string($0) } ?? .null, "curve": curve.json, "drift": drift?.json,
      "validation": validation?.json, "samples": samples.isEmpty ? nil : .array(samples.map(\.json)),
    ])
    return .object([JSON.Member(key, .string(value))] + (known.object ?? []) + others)
  }

  private static let known: Set<String> = [
    "recipe", "only", "layers", "data", "settings", "kernels", "steps", "tokens", "seconds", "tokens_per_second",
    "stopped", "curve", "drift", "validation", "samples",
  ]

  /// - Throws: `InvalidRecord` with the first violated rule.
  init(json: JSON) throws(InvalidRecord) {
    guard json.object != nil else { throw InvalidRecord("is not an object") }
    let reader = ObjectReader(record: json)
    guard (reader.optional("recipe") == nil) != (reader.optional("only") == nil) else {
      throw InvalidRecord("does not have exactly one of \"recipe\" and \"only\"")
    }
    if let recipe = try reader.optionalText("recipe") {
      tuned = .recipe(recipe)
    } else {
      tuned = .only(try reader.text("only"))
    }
    layers = try reader.optionalText("layers")
    data = []
    for set in try reader.list("data") { data.append(try DataSet(json: set)) }
    settings = try reader.plainValues("settings")
    kernels = try reader.text("kernels")
    steps = try reader.count("steps", least: 1)
    tokens = try reader.count("tokens")
    seconds = try reader.number("seconds")
    tokensPerSecond = try reader.number("tokens_per_second")
    guard seconds >= 0, tokensPerSecond >= 0 else { throw InvalidRecord("has a negative time or speed") }
    stopped = try reader.optionalText("stopped")
    guard let curve = reader.optional("curve") else { throw InvalidRecord("has no curve") }
    self.curve = try TrainingCurve(json: curve)
    if let drift = reader.optional("drift") { self.drift = try DriftCurve(json: drift) }
    if let validation = reader.optional("validation") { self.validation = try ValidationCurve(json: validation) }
    if reader.optional("samples") != nil {
      for sample in try reader.list("samples") { samples.append(try Sample(json: sample)) }
    }
    others = reader.members.filter { !Self.known.contains($0.key) }
  }

  // MARK: Annotations

  static let annotation = "training"

  /// The record in a patch's annotations; nil if there is none.
  /// - Parameter subject: the patch, for messages.
  /// - Throws: `invalid` with the reason if it is malformed.
  package init?(annotations: JSON, subject: String) throws {
    guard let member = annotations[Self.annotation], member != .null else { return nil }
    do { self = try TrainingRecord(json: member) } catch {
      throw VPatchError(
        .invalid, subject, "has a training record that \(error.reason)",
        remedy: "the patch itself is valid; train again for a new record")
    }
  }

  /// The annotations with this record in place of their own.
  package func replacing(in annotations: JSON) -> JSON { annotations.setting(Self.annotation, to: json) }
}

extension TrainingRecord.DataSet {
  init(json: JSON) throws(InvalidRecord) {
    let reader = ObjectReader(record: json)
    guard let digest = try reader.optionalDigest("sha256") else { throw InvalidRecord("has data without a digest") }
    self.init(
      name: try reader.text("name"), digest: digest, rows: try reader.count("rows"), tokens: try reader.count("tokens"),
      answerTokens: try reader.count("answer_tokens"), cut: try reader.count("cut"))
    guard answerTokens <= tokens else { throw InvalidRecord("has data with more answer tokens than tokens") }
    guard cut <= rows else { throw InvalidRecord("has data with more cut rows than rows") }
  }
}

extension TrainingRecord.Sample {
  var json: JSON {
    .dictionary([
      "prompt": .string(prompt), "expected": .string(expected), "before": .string(before), "after": .string(after),
    ])
  }

  init(json: JSON) throws(InvalidRecord) {
    let reader = ObjectReader(record: json)
    self.init(
      prompt: try reader.text("prompt"), expected: try reader.text("expected"), before: try reader.text("before"),
      after: try reader.text("after"))
  }
}

extension ValidationCurve {
  var json: JSON {
    .dictionary([
      "rows": JSON(rows), "step": .array(points.map { JSON($0.step) }), "loss": .array(points.map { JSON($0.loss) }),
    ])
  }

  init(json: JSON) throws(InvalidRecord) {
    let reader = ObjectReader(record: json)
    let (rows, steps, losses) = (try reader.count("rows"), try reader.steps("step"), try reader.numbers("loss"))
    guard steps.count == losses.count else {
      throw InvalidRecord("has a validation curve whose lists differ in length")
    }
    self.init(zip(steps, losses).map { Point(step: $0, loss: $1) }, rows: rows)
  }
}

extension TrainingCurve {
  var json: JSON {
    .dictionary([
      "step": .array(steps.map { JSON($0) }), "loss": .array(losses.map { JSON($0) }),
      "lr": .array(rates.map { JSON($0) }),
      "gradient_norm": gradientNorms.isEmpty ? nil : .array(gradientNorms.map { JSON($0) }),
    ])
  }

  init(json: JSON) throws(InvalidRecord) {
    let reader = ObjectReader(record: json)
    let (steps, losses, rates) = (
      try reader.steps("step"), try reader.numbers("loss"), try reader.numbers("lr")
    )
    let norms = reader.optional("gradient_norm") == nil ? [] : try reader.numbers("gradient_norm")
    guard steps.count == losses.count, steps.count == rates.count, [0, steps.count].contains(norms.count) else {
      throw InvalidRecord("has a curve whose lists differ in length")
    }
    guard steps.first != 0 else { throw InvalidRecord("has a curve that begins at step 0") }
    self.init(steps: steps, losses: losses, rates: rates, gradientNorms: norms)
  }
}

extension DriftCurve {
  var json: JSON {
    .dictionary([
      "step": .array(points.map { JSON($0.step) }), "kl": .array(points.map { JSON($0.drift.value) }),
      "low": .array(points.map { JSON($0.drift.low) }), "high": .array(points.map { JSON($0.drift.high) }),
    ])
  }

  init(json: JSON) throws(InvalidRecord) {
    let reader = ObjectReader(record: json)
    let steps = try reader.steps("step")
    let (values, lows, highs) = (try reader.numbers("kl"), try reader.numbers("low"), try reader.numbers("high"))
    guard [values.count, lows.count, highs.count].allSatisfy({ $0 == steps.count }) else {
      throw InvalidRecord("has a drift curve whose lists differ in length")
    }
    guard steps.indices.allSatisfy({ lows[$0] <= values[$0] && values[$0] <= highs[$0] }) else {
      throw InvalidRecord("has a drift outside its interval")
    }
    self.init(
      steps.indices.map { Point(step: steps[$0], drift: Estimate(values[$0], low: lows[$0], high: highs[$0])) })
  }
}
