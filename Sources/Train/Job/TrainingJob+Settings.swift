import Base
import Measure
import Text

extension TrainingJob {
  /// The options as the training record stores them.
  static func settings(_ options: TrainingOptions, _ inputs: Inputs) -> [JSON.Member] {
    var members: [JSON.Member] = [
      .init("lr", JSON(options.learningRate)), .init("schedule", .string(options.schedule.rawValue)),
      .init("warmup", JSON(options.warmup)), .init("batch", JSON(options.batch)),
    ]
    func add(_ key: String, _ value: JSON?) {
      if let value { members.append(.init(key, value)) }
    }
    add("vision_lr", options.visionLearningRate.map { JSON($0) })
    add("steps", options.steps.map { JSON($0) })
    add("epochs", options.steps == nil ? JSON(options.epochs) : nil)
    add("micro_batch", options.microBatch.map { JSON($0) })
    add("max_length", inputs.rules.maximumLength.map { JSON($0) })
    add("too_long", inputs.rules.tooLong == .cut ? nil : .string(inputs.rules.tooLong.rawValue))
    add("learn_prompts", inputs.rules.learnsPrompts ? .bool(true) : nil)
    add("clip", JSON(options.clip))
    add("weight_decay", JSON(options.weightDecay))
    add("betas", .string("\(options.beta1),\(options.beta2)"))
    add("eps", JSON(options.epsilon))
    add("seed", .integer(options.seed))
    add("shuffle", options.isShuffled ? nil : .bool(false))
    add("compute", .string(options.compute.rawValue))
    add("recompute", options.recomputes ? .bool(true) : nil)
    add("lora", options.lora.map { JSON($0.rank) })
    add("lora_alpha", options.lora.map { JSON($0.alpha) })
    add("rslora", options.lora?.isRankStabilized == true ? .bool(true) : nil)
    add("lora_dropout", options.lora.flatMap { $0.dropout > 0 ? JSON($0.dropout) : nil })
    add("lwf_weight", options.distillation.map { JSON($0.weight) })
    add("lwf_temperature", options.distillation.map { JSON($0.temperature) })
    add("early_stop", options.patience.map { JSON($0) })
    add("max_drift", options.drift?.budget.map { JSON($0) })
    add("drift_every", options.drift?.every.map { JSON($0) })
    add(
      "chat_template", inputs.chatTemplate.source.map { .string(ChatTemplate.names.contains($0) ? $0 : Path.name($0)) })
    switch inputs.validation {
    case .share(let share)?: add("validation", JSON(share))
    case .file(let path)?: add("validation", .string(Path.name(path)))
    case nil, .some(.none): break
    }
    let arguments = inputs.chatTemplate.arguments
    add("template_args", arguments.isEmpty ? nil : .object(arguments))
    add("template_date", inputs.usesDate ? .string(inputs.chatTemplate.date.text) : nil)
    return members
  }

  var dataSets: [TrainingRecord.DataSet] {
    data.map {
      .init(
        name: Path.name($0.path), digest: $0.digest, rows: $0.rows, tokens: $0.tokens,
        answerTokens: $0.answerTokens, cut: $0.cutRows)
    }
  }
}
