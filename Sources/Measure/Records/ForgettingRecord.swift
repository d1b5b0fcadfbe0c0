import Base

/// One measurement: what, on which bits, with which probe set, by which evaluator, before and after
/// (spec/vpatch-format.md, section 7.1).
package struct ForgettingRecord: Equatable, Sendable {
  package enum Role: String, Sendable, CaseIterable {
    /// What the patch is to teach.
    case target
    /// What it is not to change.
    case heldOut = "held-out"
    /// A look at how the model behaves: no success and no failure.
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

  /// A results file that the record was made from.
  package struct Source: Equatable, Sendable {
    /// SHA-256 of the file.
    package let digest: ContentDigest
    /// What the file says that was evaluated.
    package let model: String?

    package init(digest: ContentDigest, model: String?) {
      self.digest = digest
      self.model = model
    }
  }

  /// So many can be added up without care.
  static let maximumItems = 1_000_000_000_000

  package var task: String
  package var metric: String
  package var role: Role
  package var unit: MeasurementUnit
  package var higherIsBetter: Bool
  /// Items that were scored, the same before and after.
  package var items: Int
  /// `items` is what the standard errors imply, since the results files do not say it.
  package var areItemsImplied = false
  /// Of the reference, in `unit`.
  package var before: Double
  /// Of what was measured, in `unit`.
  package var after: Double
  /// Of `after` − `before`, in `unit`; always there for a share.
  package var interval: Interval?
  /// Where the items' own scores were at hand, all of them 0 or 1.
  package var flips: Flips?
  /// McNemar's exact p of the flips.
  package var pValue: Double?
  /// The root of the model that `before` is of.
  package var reference: ContentDigest
  /// The root of the model that `after` is of; nil where no model was hashed.
  package var measured: ContentDigest?
  /// What the items are, by content; nil where the evaluator does not say.
  package var probeSet: ContentDigest?
  package var evaluator: Evaluator
  /// What a result depends on besides the model: number of examples in the prompt, the task's version, … Plain values.
  package var settings: [JSON.Member]
  /// When the later of the two was evaluated, as the evaluator writes it.
  package var date: String?
  package var sourceBefore: Source?
  package var sourceAfter: Source?
  /// Members that this version does not know, kept as they are.
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

  /// The change for the better, with its interval: in percentage points for what lies within 0 … 1, else in `unit`.
  package var gain: Estimate? {
    guard let interval else { return nil }
    let scale = unit.isWithinOne ? 100.0 : 1
    let estimate = Estimate(change * scale, low: interval.low * scale, high: interval.high * scale)
    return higherIsBetter ? estimate : -estimate
  }

  /// Whether it speaks of these two models. What was merely reported names no model of its own.
  package func isAbout(base: ContentDigest, target: ContentDigest) -> Bool {
    reference == base && (measured == nil || measured == target)
  }

  /// Whether the other is a measurement of the same thing in the same way: then, and only then, can they be compared,
  /// and the later replaces the earlier.
  package func isSameMeasurement(as other: ForgettingRecord) -> Bool {
    task.isSame(as: other.task) && metric.isSame(as: other.metric) && probeSet == other.probeSet
      && JSON.object(settings).saysTheSame(as: .object(other.settings))
  }
}
