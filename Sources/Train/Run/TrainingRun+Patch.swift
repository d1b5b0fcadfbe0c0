import Apply
import Base
import Checkpoints
import Measure
import Model
import PatchFormat

extension TrainingRun {
  /// The training record for the patch: data, settings and results.
  package func record(data: [TrainingRecord.DataSet], settings: [JSON.Member], seconds: Double) -> TrainingRecord {
    let tuned: TrainingRecord.Tuned =
      switch options.selection {
      case .recipe(let recipe): .recipe(recipe.rawValue)
      case .only(let pattern): .only(pattern.source)
      }
    let end = state.stopped == nil ? state.step : state.inside?.step ?? state.step
    return TrainingRecord(
      tuned: tuned, layers: options.layers.map { "\($0.lowerBound)-\($0.upperBound)" }, data: data, settings: settings,
      kernels: model.compute.kernels, steps: end, tokens: state.tokens, seconds: seconds,
      tokensPerSecond: Double(state.tokens) / max(state.seconds, 1e-9), stopped: state.stopped,
      curve: TrainingCurve(
        steps: Array(1..<state.step + 1), losses: state.losses, rates: state.rates,
        gradientNorms: state.gradientNorms.count == state.step ? state.gradientNorms : []
      ).thinned(),
      drift: state.drift.isEmpty ? nil : DriftCurve(state.drift).thinned(),
      validation: state.validation.isEmpty ? nil : ValidationCurve(state.validation, rows: validation.count))
  }

  /// Writes the patch from the base to the tuned weights, rounded to the base's dtype.
  ///
  /// No other tensor can change: each tensor outside the plan is entered with the base's fingerprint on both sides.
  /// - Parameters:
  ///   - replacing: whether an existing file is replaced.
  ///   - fingerprints: of the base.
  package func writePatch(
    to path: String, replacing: Bool = false, over fingerprints: [FingerprintedTensor], annotations: JSON,
    work: WorkOptions
  ) throws -> PatchHeader {
    let recipe: Recipe? = if case .recipe(let recipe) = options.selection { recipe } else { nil }
    let tensors = TunedTensors(base: model.weights.view, work: work)
    if let lora = options.lora {
      return try withAdapter(lora, beside: path) { trained in
        try tensors.write(
          [], trained, over: fingerprints, annotations: annotations, recipe: recipe, to: path, replacing: replacing)
      }
    }
    var changes = plan.targets.map { parameter in
      TunedTensors.Change(name: parameter.name) { TunedMaster.source(parameter) }
    }
    // A checkpoint that stores a tied head twice gets both, so that loading it gives the trained model.
    if let (embedding, head) = model.storedTwice, embedding.tuning != nil {
      changes.append(TunedTensors.Change(name: head.name) { TunedMaster.source(embedding, as: head) })
    }
    return try tensors.write(
      changes, over: fingerprints, annotations: annotations, recipe: recipe, to: path, replacing: replacing)
  }

  /// Upper bound of the patch's size in bytes: the tuned tensors, a header line for each tensor of the model, and the
  /// training record.
  package var largestPatch: Int {
    let tuned = plan.targets.reduce(model.storedTwice?.head.info.byteCount ?? 0) { $0 + $1.info.byteCount }
    let factors = plan.factors.isEmpty ? 0 : 2 * plan.parameters.reduce(0) { $0 + $1.info.byteCount }
    return tuned + factors + 512 * model.weights.view.checkpoint.tensors.count + 256 << 10
  }

  /// Drops masters, gradients and moments: the model is the base again.
  func endTuning() { plan.endTuning() }
}

/// A tuned tensor's float32 master as a source of bytes.
final class TunedMaster: TensorSource {
  let info: TensorInfo
  private let master: Floats

  private init(_ parameter: Parameter, name: String) {
    master = parameter.tuning!.master
    info = TensorInfo(
      name: name, dtype: .f32, shape: parameter.info.shape, byteCount: 4 * parameter.count)
  }

  /// Rounded to the tensor's dtype in the model.
  /// - Parameter other: a tied tensor with the same values, if the source is for that one.
  static func source(_ parameter: Parameter, as other: Parameter? = nil) -> any TensorSource {
    let stored = (other ?? parameter).info
    let master = TunedMaster(parameter, name: stored.name)
    return CastTensor(master, to: stored.dtype) ?? master
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
    buffer.copyMemory(
      from: UnsafeRawBufferPointer(start: UnsafeRawPointer(master.start) + offset, count: buffer.count))
  }
}
