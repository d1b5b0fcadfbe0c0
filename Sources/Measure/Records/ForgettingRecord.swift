import Base

/// One measurement before and after: task, models, probe set and evaluator (spec/vpatch-format.md, section 7.1).
package struct ForgettingRecord: Equatable, Sendable {
  package enum Role: String, Sendable, CaseIterable {
    /// The patch is meant to improve it.
    case target
    /// The patch is not meant to change it.
    case heldOut = "held-out"
    /// Describes the model's behaviour, without better or worse.
    case probe
  }

  package struct Evaluator: Equatable, Sendable {
    package let name: String
    package let version: String?

    package init(name: String, version: String?) {
      self.name = name
      self.version = version
    }

    package var text: String { version.map { "\(name) \($0)" } ?? name }
  }

  /// A results file from which the record was made.
  package struct Source: Equatable, Sendable {
    /// SHA-256 of the file.
    package let digest: ContentDigest
    /// Name of the evaluated model in the file.
    package let model: String?

    package init(digest: ContentDigest, model: String?) {
      self.digest = digest
      self.model = model
    }
  }

  /// Limit that allows sums without overflow.
  static let maximumItems = 1_000_000_000_000

  package var task: String
  package var metric: String
  package var role: Role
  package var unit: MeasurementUnit
  package var higherIsBetter: Bool
  /// Number of scored items, the same before and after.
  package var items: Int
  /// Whether `items` was computed from the standard errors, since the results files lack it.
  package var areItemsImplied = false
  /// Value of the reference, in `unit`.
  package var before: Double
  /// Value of the measured model, in `unit`.
  package var after: Double
  /// Of `after` − `before`, in `unit`; required for a share.
  package var interval: Interval?
  /// Present if the items' own scores were available and all 0 or 1.
  package var flips: Flips?
  /// McNemar's exact p-value of the flips.
  package var pValue: Double?
  /// Root digest of the model of `before`.
  package var reference: ContentDigest
  /// Root digest of the model of `after`; nil if no model was hashed.
  package var measured: ContentDigest?
  /// Digest of the items; nil if the evaluator does not give it.
  package var probeSet: ContentDigest?
  package var evaluator: Evaluator
  /// Settings that a result depends on besides the model: few-shot examples, task version, … Plain values.
  package var settings: [JSON.Member]
  /// Time of the later evaluation, as the evaluator writes it.
  package var date: String?
  package var sourceBefore: Source?
  package var sourceAfter: Source?
  /// Members unknown to this version, preserved.
  package var others: [JSON.Member] = []

  package init(
    task: String, metric: String, role: Role, unit: MeasurementUnit, higherIsBetter: Bool, items: Int, before: Double,
    after: Double, interval: Interval?, flips: Flips? = nil, reference: ContentDigest, measured: ContentDigest?,
    probeSet: ContentDigest? = nil, evaluator: Evaluator, settings: [JSON.Member] = [], date: String? = nil,
    sourceBefore: Source? = nil, sourceAfter: Source? = nil
  ) {
    self.task = task
    self.metric = metric
    self.role = role
    self.unit = unit
    self.higherIsBetter = higherIsBetter
    self.items = items
    self.before = before
    self.after = after
    self.interval = interval
    self.flips = flips
    self.pValue = flips?.pValue
    self.reference = reference
    self.measured = measured
    self.probeSet = probeSet
    self.evaluator = evaluator
    self.settings = settings
    self.date = date
    self.sourceBefore = sourceBefore
    self.sourceAfter = sourceAfter
  }

  package var status: MeasurementStatus { measured == nil ? .reported : .measured }

  package var change: Double { after - before }

  /// The improvement, with its interval: in percentage points for units within 0 … 1, otherwise in `unit`.
  package var gain: Estimate? {
    guard let interval else { return nil }
    let scale = unit.isWithinOne ? 100.0 : 1
    let estimate = Estimate(change * scale, low: interval.low * scale, high: interval.high * scale)
    return higherIsBetter ? estimate : -estimate
  }

  /// Whether the record is of these two models. A reported record matches by its base alone.
  package func isAbout(base: ContentDigest, target: ContentDigest) -> Bool {
    reference == base && (measured == nil || measured == target)
  }

  /// Whether the other record measures the same in the same way. Only then can they be compared, and the later replaces
  /// the earlier.
  package func isSameMeasurement(as other: ForgettingRecord) -> Bool {
    task.isSame(as: other.task) && metric.isSame(as: other.metric) && probeSet == other.probeSet
      && JSON.object(settings).saysTheSame(as: .object(other.settings))
  }
}
