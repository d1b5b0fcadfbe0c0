import Measure
import Model

/// Progress of a run, without the tensors.
struct TrainingState {
  /// Steps done.
  var step = 0
  var tokens = 0
  /// Time spent in steps.
  var seconds = 0.0
  var losses: [Double] = []
  var rates: [Double] = []
  /// Before clipping.
  var gradientNorms: [Double] = []
  var validation: [ValidationCurve.Point] = []
  var drift: [DriftCurve.Point] = []
  /// Why the run ended before its last step.
  var stopped: String?
  /// The weights to end with if the run stops early: of the last measurement within the drift budget, or with the
  /// lowest validation loss.
  var inside: TunedSnapshot?

  mutating func add(_ step: TrainingStep) {
    self.step = step.number
    tokens += step.tokens
    seconds += step.seconds
    losses.append(step.loss)
    rates.append(step.learningRate)
    gradientNorms.append(step.gradientNorm)
  }
}

/// The masters of the tuned tensors after some step.
struct TunedSnapshot {
  let step: Int
  let values: [Floats]

  init(_ parameters: [Parameter], step: Int) {
    self.step = step
    values = parameters.map { parameter in
      let copy = Floats(parameter.count)
      copy.start.update(from: parameter.tuning!.master.start, count: parameter.count)
      return copy
    }
  }

  init(step: Int, values: [Floats]) {
    self.step = step
    self.values = values
  }

  func restore(_ parameters: [Parameter]) {
    for (parameter, values) in zip(parameters, values) {
      parameter.tuning!.master.start.update(from: values.start, count: parameter.count)
    }
  }
}
