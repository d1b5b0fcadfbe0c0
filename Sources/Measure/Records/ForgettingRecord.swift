import PatchFormat

/// One measurement: what, on which bits, with which probe set, by which evaluator, before and after
/// (spec/vpatch-format.md, section 7.1).
public struct ForgettingRecord: Equatable, Sendable {
  public enum Role: String, Sendable, CaseIterable {
    /// What the patch is to teach.
    case target
    /// What it is not to change.
    case heldOut = "held-out"
    /// A look at how the model behaves: no success and no failure.
    case probe
  }

  public struct Evaluator: Equatable, Sendable {
    public let name: String
    public let version: String?

    public init(name: String, version: String?) {
      self.name = name
      self.version = version
    }

    public var text: String { version.map { "\(name) \($0)" } ?? name }
  }

  /// A results file that the record was made from.
  public struct Source: Equatable, Sendable {
    /// SHA-256 of the file.
    public let digest: Digest
    /// What the file says that was evaluated.
    public let model: String?

    public init(digest: Digest, model: String?) {
      self.digest = digest
      self.model = model
    }
  }

  /// So many can be added up without care.
  static let maximumItems = 1_000_000_000_000

  public var task: String
  public var metric: String
  public var role: Role
  public var unit: MeasurementUnit
  public var higherIsBetter: Bool
  /// Items that were scored, the same before and after.
  public var items: Int
  /// `items` is what the standard errors imply, since the results files do not say it.
  public var areItemsImplied = false
  /// Of the reference, in `unit`.
  public var before: Double
  /// Of what was measured, in `unit`.
  public var after: Double
  /// Of `after` − `before`, in `unit`; always there for a share.
  public var interval: Interval?
  /// Where the items' own scores were at hand, all of them 0 or 1.
  public var flips: Flips?
  /// McNemar's exact p of the flips.
  public var pValue: Double?
  /// The root of the model that `before` is of.
  public var reference: Digest
  /// The root of the model that `after` is of; nil where no model was hashed.
  public var measured: Digest?
  /// What the items are, by content; nil where the evaluator does not say.
  public var probeSet: Digest?
  public var evaluator: Evaluator
  /// What a result depends on besides the model: number of examples in the prompt, the task's version, … Plain values.
  public var settings: [JSON.Member]
  /// When the later of the two was evaluated, as the evaluator writes it.
  public var date: String?
  public var sourceBefore: Source?
  public var sourceAfter: Source?
  /// Members that this version does not know, kept as they are.
  public var others: [JSON.Member] = []

  public init(
    task: String, metric: String, role: Role, unit: MeasurementUnit, higherIsBetter: Bool, items: Int, before: Double,
    after: Double, interval: Interval?, flips: Flips? = nil, reference: Digest, measured: Digest?,
    probeSet: Digest? = nil, evaluator: Evaluator, settings: [JSON.Member] = [], date: String? = nil,
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

  public var status: MeasurementStatus { measured == nil ? .reported : .measured }

  public var change: Double { after - before }

  /// The change for the better, with its interval: in percentage points for what lies within 0 … 1, else in `unit`.
  public var gain: Estimate? {
    guard let interval else { return nil }
    let scale = unit.isWithinOne ? 100.0 : 1
    let estimate = Estimate(change * scale, low: interval.low * scale, high: interval.high * scale)
    return higherIsBetter ? estimate : -estimate
  }

  /// Whether it speaks of these two models. What was merely reported names no model of its own.
  public func isAbout(base: Digest, target: Digest) -> Bool {
    reference == base && (measured == nil || measured == target)
  }

  /// Whether the other is a measurement of the same thing in the same way: then, and only then, can they be compared,
  /// and the later replaces the earlier.
  public func isSameMeasurement(as other: ForgettingRecord) -> Bool {
    task.isSame(as: other.task) && metric.isSame(as: other.metric) && probeSet == other.probeSet
      && JSON.object(settings).saysTheSame(as: .object(other.settings))
  }
}
