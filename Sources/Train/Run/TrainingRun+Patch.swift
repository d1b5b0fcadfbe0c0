import Apply
import Base
import Checkpoints
import Measure
import Model
import PatchFormat

extension TrainingRun {
  /// What was trained, and how it went, to travel with the patch.
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
      curve: TrainingCurve(steps: Array(1..<state.step + 1), losses: state.losses, rates: state.rates).thinned(),
      drift: state.drift.isEmpty ? nil : DriftCurve(state.drift).thinned())
  }

  /// Writes the patch from the base to the tuned weights, rounded to the base's dtype.
  ///
  /// That nothing else changes is certain by how it is made: every tensor that is not of the plan is entered with the
  /// base's own fingerprint on both sides.
  /// - Parameters:
  ///   - replacing: whether a file of that name is replaced.
  ///   - fingerprints: of the base.
  package func writePatch(
    to path: String, replacing: Bool = false, over fingerprints: [FingerprintedTensor], annotations: JSON,
    work: WorkOptions
  ) throws -> PatchHeader {
    var changes = plan.parameters.map { parameter in
      TunedTensors.Change(name: parameter.name) { TunedMaster.source(parameter) }
    }
    // Who stores a tied head twice gets both, or the model would be another one than was trained.
    if let (embedding, head) = model.storedTwice, embedding.tuning != nil {
      changes.append(TunedTensors.Change(name: head.name) { TunedMaster.source(embedding, as: head) })
    }
    let recipe: Recipe? = if case .recipe(let recipe) = options.selection { recipe } else { nil }
    return try TunedTensors(base: model.weights.view, work: work).write(
      changes, over: fingerprints, annotations: annotations, recipe: recipe, to: path, replacing: replacing)
  }

  /// A patch has no more bytes than that, whatever is learned: those of the tuned tensors, a line of the header for each
  /// tensor of the model, and how it was trained.
  package var largestPatch: Int {
    let tuned = plan.parameters.reduce(model.storedTwice?.head.info.byteCount ?? 0) { $0 + $1.info.byteCount }
    return tuned + 512 * model.weights.view.checkpoint.tensors.count + 256 << 10
  }

  /// Gives up masters, gradients and moments: the model is the base again.
  func endTuning() {
    for parameter in plan.parameters { parameter.endTuning() }
  }
}

/// A tuned tensor's master as the bytes of a float32 tensor.
final class TunedMaster: TensorSource {
  let info: TensorInfo
  private let master: Floats

  private init(_ parameter: Parameter, name: String) {
    master = parameter.tuning!.master
    info = TensorInfo(
      name: name, dtype: .f32, shape: parameter.info.shape, byteCount: 4 * parameter.count)
  }

  /// Rounded to the dtype that the model has it in.
  /// - Parameter other: a tensor of the same values that it is the master of, too.
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
