import Base
import PatchFormat

/// Results of one model from a results file of lm-evaluation-harness, of lmms-eval, or in vpatch's own format.
package struct EvaluationResults: Sendable {
  package let path: String
  /// SHA-256 of the file.
  package let digest: ContentDigest
  package let evaluator: ForgettingRecord.Evaluator
  /// Name of the model in the file.
  package let model: String?
  package let date: String?
  /// Root digest of the model according to the file.
  package let root: ContentDigest?
  /// Whether vpatch's model class for lm-evaluation-harness hashed the weights that it evaluated. A root that another
  /// evaluator wrote is only a claim.
  package let isHashed: Bool
  /// In the order of the file, with the file's names of tasks and metrics.
  package let measurements: [Measurement]
  /// In the order of the file, without repetition.
  package let tasks: [String]
  /// Whether the file has vpatch's own format, in which every metric is meant to become a record. The harnesses write
  /// every metric that they compute.
  let isOwnForm: Bool
  private let byTask: [String: [Measurement]]

  /// One metric of one task.
  package struct Measurement: Sendable {
    package let task: String
    package let metric: String
    /// The harness's filter, which extracts the answer from the model's output; nil if there is none.
    package let filter: String?
    package let unit: MeasurementUnit
    package let higherIsBetter: Bool?
    /// Number of scored items, if the file has it.
    package let items: Int?
    /// The number computed from value and standard error, if the file lacks it; may be fractional.
    package var impliedItems: Double?
    /// NaN or infinite if the evaluator had no value.
    package let value: Double
    package let standardError: Double?
    /// Whether the standard error accounts for clustered items (several questions on one video, …).
    package let isClustered: Bool
    package let settings: [JSON.Member]
    package let probeSet: ContentDigest?
    /// The tasks that a group averages; otherwise the task itself.
    package let leaves: [Leaf]
    /// Groups above the task that have a value in the file; if comparable, they replace it.
    package var groups: [String] = []
    /// One per item, in the items' order, if the file has them.
    package let scores: ItemScores?
    /// Role of the task, if the file has it.
    package var role: ForgettingRecord.Role?
    /// Root digest of the model that a divergence is measured from, if the file has it.
    package var reference: ContentDigest?

    /// A task with its own items.
    package struct Leaf: Sendable {
      package let task: String
      /// The evaluator's hash of the items.
      package let hash: String?
    }

    /// "exact_match", "exact_match,strict-match"
    package var metricText: String { filter.map { "\(metric),\($0)" } ?? metric }
  }

  /// In bytes. No results file is this large; samples are in separate files.
  private static let maximumFile = 256 << 20

  /// Reads a results file in any supported format.
  /// - Throws: `invalid` for anything else.
  package init(path: String) throws {
    guard try PathKind.of(path) != .directory else {
      throw VPatchError(
        .invalid, path, "is a folder, not a results file",
        remedy: "give the file in it: results_….json, or …_results.json")
    }
    guard try !Patch.looksLikePatch(path: path) else {
      throw VPatchError(
        .invalid, path, "is a patch, not a results file", remedy: "check the order of the arguments")
    }
    try self.init(InputFile.contents(of: path, limit: Self.maximumFile), path: path)
  }

  /// Reads the text of a results file.
  /// - Parameter path: name in messages and records.
  /// - Throws: `invalid` for anything but a results file.
  package init(_ bytes: [UInt8], path: String) throws {
    var json: JSON
    do { json = try JSON.parse(bytes, allowsNonFinite: true) } catch let error as JSONError {
      throw VPatchError(.invalid, path, "is not valid JSON: \(error.reason)", remedy: "check that the evaluation ended")
    }
    // Values may be NaN. Any other NaN becomes text, since JSON cannot express it.
    json = .object((json.object ?? []).map { $0.key == "results" ? $0 : .init($0.key, $0.value.withNonFiniteAsText) })
    self.path = path
    digest = SHA256Hasher.hash(bytes)
    isOwnForm = json["format"]?.string == OwnResults.format
    if isOwnForm {
      let own = try OwnResults(json, path: path)
      (evaluator, model, date, root) = (own.evaluator, own.model, own.date, own.root)
      isHashed = false
      measurements = own.measurements
    } else if json["results"]?.object != nil {
      let harness = try HarnessResults(json, path: path)
      (evaluator, model, date, root) = (harness.evaluator, harness.model, harness.date, harness.root)
      isHashed = harness.root != nil
      measurements = harness.measurements
    } else {
      throw VPatchError(
        .invalid, path, "is not a results file of lm-evaluation-harness, lmms-eval or vpatch",
        remedy: "docs/measurements.md describes the formats")
    }
    guard measurements.contains(where: { $0.value.isFinite }) else {
      throw VPatchError(.invalid, path, "has no value for any task", remedy: "check that the evaluation ended")
    }
    byTask = Dictionary(grouping: measurements, by: \.task.bytesKey)
    var seen: Set<String> = []
    tasks = measurements.map(\.task).filter { seen.insert($0.bytesKey).inserted }
  }

  func measurements(of task: String) -> [Measurement] { byTask[task.bytesKey] ?? [] }
}
