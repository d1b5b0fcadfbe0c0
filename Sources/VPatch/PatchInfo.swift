import Measure
import PatchFormat

/// What a patch is and changes.
public struct PatchInfo: Sendable, Equatable {
  /// SHA-256 of what the patch does, as 64 hexadecimal digits. Patches with one identity make the same weights.
  public let identity: String
  /// Root of the checkpoint that it applies to: SHA-256 over all tensors, as 64 hexadecimal digits.
  public let base: String
  /// Root of the checkpoint that it makes.
  public let target: String
  /// Its own name.
  public let name: String?
  /// Its note.
  public let note: String?
  /// The smallest recipe that covers its changes, such as "sa-proj".
  public let recipe: String?
  /// Size of the file in bytes.
  public let fileBytes: Int
  /// The tensors that it touches, in ascending order of name.
  public let tensors: [Tensor]
  /// Side files that it changes, such as a tokenizer, in ascending order.
  public let sideFiles: [String]
  /// What was measured of it.
  public let records: [TaskRecord]

  /// A tensor that a patch touches.
  public struct Tensor: Sendable, Equatable {
    /// What a patch does to a tensor.
    public enum Operation: String, Sendable, CaseIterable {
      /// Changes values.
      case change
      /// Changes the number of rows.
      case rows
      /// Adds the tensor.
      case add
      /// Removes the tensor.
      case remove
      /// Replaces it by one of another dtype or shape.
      case replace
    }

    /// Its name in the checkpoint.
    public let name: String
    /// What the patch does to it.
    public let operation: Operation
    /// dtype in safetensors' words, such as "BF16": of the target, else of the base.
    public let dtype: String
    /// Dimensions, outermost first: of the target, else of the base.
    public let shape: [Int]
  }

  init(_ patch: Patch) throws {
    let header = patch.header
    identity = header.identity.hex
    base = header.baseRoot.hex
    target = header.targetRoot.hex
    name = patch.name
    note = patch.annotations["note"]?.string
    recipe = patch.annotations["recipe"]?.string
    fileBytes = patch.fileSize
    tensors = header.touched.compactMap { tensor in
      guard let operation = Tensor.Operation(rawValue: tensor.operation.rawValue),
        let info = (tensor.target ?? tensor.base)?.info
      else { return nil }
      return Tensor(name: tensor.name, operation: operation, dtype: info.dtype.name, shape: info.shape)
    }
    sideFiles = patch.annex.sideFiles.map(\.name)
    records = try ForgettingReport(patch).records.map(TaskRecord.init)
  }
}

/// A task that was measured before and after a patch.
public struct TaskRecord: Sendable, Equatable {
  /// How far a number is known.
  public enum Status: String, Sendable {
    /// A results file says so; the model was not hashed.
    case reported
    /// Measured on exactly the weights that the patch makes.
    case measured
  }

  /// What a task stands for.
  public enum Role: String, Sendable {
    /// What the patch should teach.
    case target
    /// What it should not change: a loss is forgetting.
    case heldOut = "held-out"
    /// Neither.
    case probe
  }

  /// Its name in the results file.
  public let task: String
  /// Such as "acc".
  public let metric: String
  /// What the task stands for.
  public let role: Role?
  /// The value of the base, in the metric's unit.
  public let before: Double
  /// The value of the patched model.
  public let after: Double
  /// The 95 % interval of the change, lower and upper bound; nil if it is not known.
  public let interval: ClosedRange<Double>?
  /// Number of items.
  public let items: Int
  /// How far the numbers are known.
  public let status: Status

  init(_ record: ForgettingRecord) {
    task = record.task
    metric = record.metric
    role = Role(rawValue: record.role.rawValue)
    before = record.before
    after = record.after
    interval = record.interval.flatMap { $0.low <= $0.high ? $0.low...$0.high : nil }
    items = record.items
    status = record.status == .measured ? .measured : .reported
  }
}
