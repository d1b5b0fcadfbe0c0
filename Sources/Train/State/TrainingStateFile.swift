// The state of a training run: a safetensors file, training.safetensors, in a folder of its own. Each tuned tensor NAME
// is stored as "master NAME", "first_moment NAME" and "second_moment NAME", all F32 (and "inside NAME" with a drift
// budget or early stopping: the masters that the run ends with if it stops early). Its metadata has, under "vpatch.training", the JSON text
//
//   {"version": 1, "identity": {…}, "step": n, "tokens": n, "seconds": x, "losses": […], "rates": […],
//    "gradient_norms": […], "drift": [[step, kl, low, high], …], "validation": [[step, loss], …],
//    "stopped": text or null, "inside": step or null}
//
// where identity is everything that the run's weights depend on: a state with another identity is of another run.

import Base
import Checkpoints
import Glibc
import Measure
import Model

struct TrainingStateFile {
  static let name = "training.safetensors"
  private static let key = "vpatch.training"

  let path: String
  private let identity: JSON

  init(folder: String, identity: JSON) throws {
    path = Path.join(folder, Self.name)
    self.identity = identity
    switch try PathKind.of(folder) {
    case .directory:
      guard try PathKind.of(Path.join(folder, "config.json")) == .missing else {
        throw VPatchError(.refused, folder, "is a model folder", remedy: "give another one for the state of the run")
      }
    case .missing:
      guard mkdir(folder, 0o777) == 0 else { throw VPatchError.system(folder, "cannot be created") }
    default: throw VPatchError(.refused, folder, "is not a folder", remedy: "give one for the state of the run")
    }
  }

  // MARK: Writing

  /// Checks that there is space for the state of a run of this many steps, beside an existing one.
  func requireRoom(_ parameters: [Parameter], steps: Int, hasBudget: Bool) throws {
    let copies = hasBudget ? 4 : 3
    // A number in the curves has about twenty digits; each tensor has a line in the header.
    let (curves, lines) = (64 * min(steps, 1 << 24), copies * parameters.reduce(0) { $0 + 256 + $1.name.utf8.count })
    let tensors = copies * 4 * parameters.reduce(0) { $0 + $1.count }
    try OutputFile.requireRoom(for: path, bytes: tensors + curves + lines + 4096)
  }

  /// Replaces the state atomically: a run killed meanwhile keeps the state before.
  func write(_ state: TrainingState, _ parameters: [Parameter]) throws {
    let tensors = parameters.enumerated().flatMap { i, parameter in
      let tuning = parameter.tuning!
      var parts = [
        ("master", tuning.master), ("first_moment", tuning.firstMoment), ("second_moment", tuning.secondMoment),
      ]
      if let inside = state.inside { parts.append(("inside", inside.values[i])) }
      return parts.map { (info: Self.info("\($0.0) \(parameter.name)", parameter), values: $0.1) }
    }
    let text = SafetensorsHeader.text(
      for: tensors.map(\.info), metadata: [JSON.Member(Self.key, .string(json(state).compact()))])
    let file = try OutputFile(path: path, replacing: true)
    let start = 8 + text.count
    try file.reserve(start + tensors.reduce(0) { $0 + $1.info.byteCount })
    try file.write([UInt8](littleEndian: UInt64(text.count)) + text, at: 0)
    var offset = start
    for tensor in tensors {
      try file.write(UnsafeRawBufferPointer(start: tensor.values.start, count: tensor.info.byteCount), at: offset)
      offset += tensor.info.byteCount
    }
    try file.commit()
  }

  private static func info(_ name: String, _ parameter: Parameter) -> TensorInfo {
    TensorInfo(name: name, dtype: .f32, shape: parameter.info.shape, byteCount: 4 * parameter.count)
  }

  private func json(_ state: TrainingState) -> JSON {
    .dictionary([
      "version": JSON(1), "identity": identity, "step": JSON(state.step), "tokens": JSON(state.tokens),
      "seconds": JSON(state.seconds), "losses": .array(state.losses.map { JSON($0) }),
      "rates": .array(state.rates.map { JSON($0) }),
      "gradient_norms": .array(state.gradientNorms.map { JSON($0) }),
      "validation": .array(state.validation.map { .array([JSON($0.step), JSON($0.loss)]) }),
      "drift": .array(
        state.drift.map {
          .array([JSON($0.step), JSON($0.drift.value), JSON($0.drift.low), JSON($0.drift.high)])
        }), "stopped": state.stopped.map { .string($0) } ?? .null,
      "inside": state.inside.map { JSON($0.step) } ?? .null,
    ])
  }

  // MARK: Reading

  private static let remedy = "give another folder, or delete it to start again"

  private func invalid(_ reason: String) -> VPatchError {
    VPatchError(.invalid, path, reason, remedy: Self.remedy)
  }

  private func text(of checkpoint: SafetensorsCheckpoint) throws -> JSON {
    let text = checkpoint.files[0].header.metadata.first { $0.key == Self.key }?.value.string
    guard let text, let json = try? JSON.parse(Array(text.utf8)), json["version"]?.int == 1 else {
      throw invalid("is not a training state that this version can read")
    }
    return json
  }

  /// The number of steps after which the existing state was saved; nil if there is none.
  func savedStep() throws -> Int? {
    guard try PathKind.of(path) != .missing else { return nil }
    return try text(of: SafetensorsCheckpoint(path: path))["step"]?.int
  }

  /// Fills the tuned tensors; nil if there is no state yet.
  /// - Throws: `refused` for another run's state, with the settings that differ.
  func read(into parameters: [Parameter]) throws -> TrainingState? {
    guard try PathKind.of(path) != .missing else { return nil }
    let checkpoint = try SafetensorsCheckpoint(path: path)
    let json = try text(of: checkpoint)
    try checkIdentity(json["identity"] ?? .null)
    guard let step = json["step"]?.int, let tokens = json["tokens"]?.int, tokens <= Limits.number,
      let seconds = json["seconds"]?.double, seconds.isFinite,
      let losses = json["losses"]?.array?.compactMap(\.double), losses.count == step,
      let rates = json["rates"]?.array?.compactMap(\.double), rates.count == step,
      // A version that did not record them may have written the state.
      case let norms = json["gradient_norms"]?.array?.compactMap(\.double) ?? [], [0, step].contains(norms.count)
    else { throw invalid("is damaged: its counts are inconsistent") }
    var state = TrainingState(step: step, tokens: tokens, seconds: seconds, losses: losses, rates: rates)
    state.gradientNorms = norms
    state.validation = try (json["validation"]?.array ?? []).map { point in
      let values = point.array?.compactMap(\.double) ?? []
      guard values.count == 2, values[1].isFinite, let at = Int(exactly: values[0]), 0...step ~= at else {
        throw invalid("is damaged: a validation loss is incomplete")
      }
      return .init(step: at, loss: values[1])
    }
    state.drift = try (json["drift"]?.array ?? []).map { point in
      let values = point.array?.compactMap(\.double) ?? []
      guard values.count == 4, values.allSatisfy(\.isFinite), let at = Int(exactly: values[0]), 0...step ~= at else {
        throw invalid("is damaged: a drift measurement is incomplete")
      }
      return .init(step: at, drift: Estimate(values[1], low: values[2], high: values[3]))
    }
    state.stopped = json["stopped"]?.string
    func fill(_ kind: String, _ parameter: Parameter, _ values: Floats) throws {
      guard let tensor = checkpoint.tensor(named: "\(kind) \(parameter.name)"),
        tensor.info == Self.info(tensor.name, parameter)
      else { throw invalid("lacks the \(kind) of \"\(parameter.name.printable)\"") }
      try StoredTensor(tensor, in: checkpoint).read(
        into: UnsafeMutableRawBufferPointer(start: values.start, count: tensor.info.byteCount), at: 0)
    }
    for parameter in parameters {
      try fill("master", parameter, parameter.tuning!.master)
      try fill("first_moment", parameter, parameter.tuning!.firstMoment)
      try fill("second_moment", parameter, parameter.tuning!.secondMoment)
    }
    if let inside = json["inside"]?.int {
      guard inside <= step else { throw invalid("is damaged: its counts are inconsistent") }
      state.inside = TunedSnapshot(
        step: inside,
        values: try parameters.map { parameter in
          let values = Floats(parameter.count)
          try fill("inside", parameter, values)
          return values
        })
    }
    return state
  }

  private func checkIdentity(_ found: JSON) throws {
    let (mine, theirs) = (identity.object ?? [], found.object ?? [])
    let differing =
      mine.filter { member in found[member.key] != member.value }.map(\.key)
      + theirs.filter { identity[$0.key] == nil }.map(\.key)
    guard differing.isEmpty else {
      throw VPatchError(
        .refused, path, "is the state of another run: it differs in \(differing.joined(separator: ", ").printable)",
        remedy: Self.remedy)
    }
  }
}
