import Base
import PatchFormat

/// What an evaluator wrote about one model, whatever its form: lm-evaluation-harness, lmms-eval, or vpatch's own.
package struct EvaluationResults: Sendable {
  package let path: String
  /// SHA-256 of the file.
  package let digest: ContentDigest
  package let evaluator: ForgettingRecord.Evaluator
  /// What the file calls the model.
  package let model: String?
  package let date: String?
  /// The root of the model, where the file says it: what its evaluator had loaded, by its word.
  package let root: ContentDigest?
  /// In the order of the file. Names of tasks and metrics are the file's.
  package let measurements: [Measurement]
  /// In the order of the file, each once.
  package let tasks: [String]
  /// vpatch's own form has no metric that was not meant to be a record; the harnesses write all that they can.
  let isOwnForm: Bool
  private let byTask: [String: [Measurement]]

  /// One metric of one task.
  package struct Measurement: Sendable {
    package let task: String
    package let metric: String
    /// How the answer was taken from what the model wrote; nil where that is as it stands.
    package let filter: String?
    package let unit: MeasurementUnit
    package let higherIsBetter: Bool?
    /// How many items were scored, where the file says it.
    package let items: Int?
    /// The same as value and standard error imply it, where the file does not say it; not always a whole number.
    package var impliedItems: Double?
    /// NaN or infinite where the evaluator had no value.
    package let value: Double
    package let standardError: Double?
    /// The standard error knows that the items come in clusters (questions to one video, …).
    package let isClustered: Bool
    package let settings: [JSON.Member]
    package let probeSet: ContentDigest?
    /// The tasks that a group is the mean of; the task itself where it is none.
    package let leaves: [Leaf]
    /// Groups above the task that have a number in the file; where they can be compared, they stand for it.
    package var groups: [String] = []
    /// One an item, in the items' order, where the file itself holds them.
    package let scores: ItemScores?
    /// What the task is for, where the file says it.
    package var role: ForgettingRecord.Role?
    /// The root of the model that a divergence is from, where the file says it.
    package var reference: ContentDigest?

    /// A task that has items of its own.
    package struct Leaf: Sendable {
      package let task: String
      /// What the evaluator says that the items hash to.
      package let hash: String?
    }

    /// "exact_match", "exact_match,strict-match"
    package var metricText: String { filter.map { "\(metric),\($0)" } ?? metric }
  }

  /// More than any results file has; the samples are in files of their own.
  private static let maximumFile = 256 << 20

  /// Reads a results file of any of the known forms.
  /// - Throws: `invalid` for anything else.
  package init(path: String) throws {
    guard try PathKind.of(path) != .directory else {
      throw VPatchError(
        .invalid, path, "is a directory and not a results file",
        remedy: "give the file in it: results_….json, or …_results.json")
    }
    guard try !Patch.looksLikePatch(path: path) else {
      throw VPatchError(
        .invalid, path, "is a patch and not a results file", remedy: "are the arguments in the right order?")
    }
    try self.init(InputFile.contents(of: path, limit: Self.maximumFile), path: path)
  }

  /// Reads the text of a results file.
  /// - Parameter path: what messages and records call it.
  /// - Throws: `invalid` where it is none.
  package init(_ bytes: [UInt8], path: String) throws {
    var json: JSON
    do { json = try JSON.parse(bytes, allowsNonFinite: true) } catch let error as JSONError {
      throw VPatchError(.invalid, path, "is not valid JSON: \(error.reason)", remedy: "did the evaluation end?")
    }
    // A value may be none; whatever else is NaN is a word, since no JSON can say it again.
    json = .object((json.object ?? []).map { $0.key == "results" ? $0 : .init($0.key, $0.value.withNonFiniteAsText) })
    self.path = path
    digest = SHA256Hasher.hash(bytes)
    isOwnForm = json["format"]?.string == OwnResults.format
    if isOwnForm {
      let own = try OwnResults(json, path: path)
      (evaluator, model, date, root) = (own.evaluator, own.model, own.date, own.root)
      measurements = own.measurements
    } else if json["results"]?.object != nil {
      let harness = try HarnessResults(json, path: path)
      (evaluator, model, date, root) = (harness.evaluator, harness.model, harness.date, nil)
      measurements = harness.measurements
    } else {
      throw VPatchError(
        .invalid, path, "is no results file of lm-evaluation-harness, of lmms-eval, or of vpatch's own form",
        remedy: "docs/measurements.md has the forms")
    }
    guard measurements.contains(where: { $0.value.isFinite }) else {
      throw VPatchError(.invalid, path, "holds no number for any task", remedy: "did the evaluation end?")
    }
    byTask = Dictionary(grouping: measurements, by: \.task.bytesKey)
    var seen: Set<String> = []
    tasks = measurements.map(\.task).filter { seen.insert($0.bytesKey).inserted }
  }

  func measurements(of task: String) -> [Measurement] { byTask[task.bytesKey] ?? [] }
}
