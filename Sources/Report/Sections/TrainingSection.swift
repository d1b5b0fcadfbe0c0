import Base
import Measure

/// Training: settings, data, loss, learning rate, and drift with its budget.
struct TrainingSection {
  package let training: TrainingRecord?

  package var html: String {
    guard let training else {
      return Part.section(
        "Training",
        Part.paragraph(
          "The patch has no training record. 'vpatch train' writes one; models trained with other tools have none."))
    }
    let stopped =
      training.stopped.map { "<span class=\"pill reported\">stopped early: \(HTML.escaped($0))</span>" } ?? ""
    return Part.section(
      "Training", mark: stopped,
      facts(training) + data(training) + loss(training) + drift(training) + samples(training) + settings(training))
  }

  private func facts(_ training: TrainingRecord) -> String {
    Part.facts([
      ("tuned", HTML.escaped(training.tunedText)), ("steps", Format.grouped(training.steps)),
      ("pace", HTML.escaped(training.paceText)), ("kernels", HTML.escaped(training.kernels)),
    ])
  }

  private func data(_ training: TrainingRecord) -> String {
    guard !training.data.isEmpty else { return "" }
    return HTML.table(
      ["data", "SHA-256", "rows", "tokens", "answers", "rows cut"], numeric: 2,
      rows: training.data.map {
        [
          Part.code($0.name), Part.code($0.digest.short), Format.grouped($0.rows), Format.grouped($0.tokens),
          Format.grouped($0.answerTokens), Format.grouped($0.cut),
        ]
      })
  }

  private func settings(_ training: TrainingRecord) -> String {
    guard !training.settings.isEmpty else { return "" }
    let values = training.settings.map { setting in
      let value = setting.value.string ?? setting.value.compact()
      return "<div><dt>\(HTML.escaped(setting.key))</dt><dd>\(HTML.escaped(value))</dd></div>\n"
    }
    return "<h3>Settings</h3>\n<dl class=\"settings\">\n\(values.joined())</dl>\n"
  }

  // MARK: Curves

  /// The last step of the axis that all curves share.
  private func end(_ training: TrainingRecord) -> Double {
    Double(max(training.curve.steps.last ?? 0, training.drift?.points.last?.step ?? 0, training.steps))
  }

  private func loss(_ training: TrainingRecord) -> String {
    let curve = training.curve
    guard let text = curve.text, let smooth = SmoothLoss(curve) else { return Part.paragraph("No loss was recorded.") }
    let raw = zip(curve.steps, curve.losses).map { (x: Double($0), y: $1) }
    let isSmooth = smooth.window > 1
    let validation = training.validation?.points ?? []
    let all = curve.losses + validation.map(\.loss)
    let y = Axis(covering: all, ticks: 4, fromZero: all.min()! < all.max()! / 2)
    var chart = LineChart(title: "Loss: \(text)", height: 200, end: end(training), y: y, hasSteps: false)
    chart.series = isSmooth ? [.init(points: raw, style: "raw")] : []
    chart.series.append(
      .init(points: zip(raw, smooth.values).map { ($0.x, $1) }, style: "curve", isLabelled: true))
    if !validation.isEmpty {
      chart.series.append(
        .init(points: validation.map { (Double($0.step), $0.loss) }, style: "validation", isLabelled: true))
    }
    let rate = LineChart(
      title: "Learning rate", height: 56, end: end(training), y: Axis(covering: curve.rates, ticks: 2),
      series: [.init(points: zip(curve.steps, curve.rates).map { (Double($0), $1) }, style: "rate")])
    var key = isSmooth ? "<i class=\"raw\"></i>as recorded <i class=\"curve\"></i>mean of \(smooth.window) points" : ""
    if let rows = training.validation?.rows, !validation.isEmpty {
      key += "<i class=\"validation\"></i>on \(Format.counted(rows, "validation row"))"
    }
    return "<h3>Loss <small>nats, mean over answer tokens</small><span class=\"keys\">\(key)</span></h3>\n\(chart.html)"
      + "<h3>Learning rate</h3>\n\(rate.html)" + gradientNorm(training)
  }

  private func gradientNorm(_ training: TrainingRecord) -> String {
    let curve = training.curve
    guard !curve.gradientNorms.isEmpty else { return "" }
    let chart = LineChart(
      title: "Gradient norm", height: 56, end: end(training), y: Axis(covering: curve.gradientNorms, ticks: 2),
      series: [.init(points: zip(curve.steps, curve.gradientNorms).map { (Double($0), $1) }, style: "rate")])
    return "<h3>Gradient norm <small>before clipping</small></h3>\n\(chart.html)"
  }

  private func samples(_ training: TrainingRecord) -> String {
    guard !training.samples.isEmpty else { return "" }
    let rows = training.samples.map { sample in
      "<div class=\"sample\"><p>\(HTML.escapedLines(sample.prompt))</p>"
        + [("before", sample.before), ("after", sample.after), ("in the data", sample.expected)].map { title, text in
          "<div><b>\(title)</b>\(HTML.escapedLines(text))</div>"
        }.joined() + "</div>\n"
    }
    return
      "<h3>Sample answers <small>to prompts of the data</small></h3>\n<div class=\"samples\">\n\(rows.joined())</div>\n"
  }

  private func drift(_ training: TrainingRecord) -> String {
    let title = "<h3>Drift <small>KL(base ‖ model), nats per token on neutral text, with 95 % interval</small></h3>\n"
    guard let points = training.drift?.points, !points.isEmpty else {
      return title + Part.paragraph("Drift was not measured during training.")
    }
    func series(_ style: String, _ value: (Estimate) -> Double, isLabelled: Bool = false) -> LineChart.Series {
      .init(points: points.map { (Double($0.step), value($0.drift)) }, style: style, isLabelled: isLabelled)
    }
    let budget = training.driftBudget
    let values = points.flatMap { [$0.drift.low, $0.drift.high] } + (budget.map { [$0 * 1.15] } ?? [])
    var chart = LineChart(
      title: "Drift by step", height: 150, end: end(training), y: Axis(covering: values, ticks: 3))
    chart.series = [series("drift", \.value, isLabelled: true)]
    chart.band = (series("band", \.low), series("band", \.high))
    chart.budget = budget.map { ($0, "budget \(Format.plain($0))") }
    let none = budget == nil ? Part.paragraph("No drift budget was set.") : ""
    return title + chart.html + none
  }
}

/// The loss, smoothed over the noise of the batches.
struct SmoothLoss {
  /// Points per mean: an odd number.
  package let window: Int
  /// For each point of the curve, the mean of the window around it, which is cut off at the ends.
  package let values: [Double]

  /// Nil for a curve without points.
  init?(_ curve: TrainingCurve) {
    guard curve.count > 0 else { return nil }
    let half = curve.count / 60
    let losses = curve.losses
    window = 2 * half + 1
    values = losses.indices.map { i in
      let near = losses[max(i - half, 0)...min(i + half, losses.count - 1)]
      return near.reduce(0, +) / Double(near.count)
    }
  }
}
