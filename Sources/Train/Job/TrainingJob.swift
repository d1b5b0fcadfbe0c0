import Apply
import Base
import Checkpoints
import Dispatch
import Evaluate
import Model
import Text

/// From a model and files of rows to a patch that says what was learned, and what that cost.
package struct TrainingJob {
  /// What is given besides the options.
  package struct Inputs {
    /// The base: a folder, and patches over it.
    package var base: ModelView
    /// Files of rows to learn.
    package var data: [String]
    /// Rows by which drift is measured; nil: the paragraphs of `NeutralText`.
    package var neutral: String?
    /// Measured before and after.
    package var suite: Suite?
    /// Which chat template, and what it is told; the model's own, where nothing is said.
    package var chatTemplate = ChatTemplate.Options()
    /// Whether rows are written with the time in them, which a record then has.
    var usesDate = false
    package var rules: Rules
    /// Features of images are kept there.
    package var features: FeatureCache?
    /// The state is kept there, and gone on from.
    package var stateFolder: String?
    /// Steps from one saved state to the next.
    package var saveEvery = 100
    /// A file that gets a line of JSON for each step.
    package var log: String?

    package init(base: ModelView, data: [String], rules: Rules = Rules()) {
      self.base = base
      self.data = data
      self.rules = rules
    }
  }

  /// What becomes of rows.
  package struct Rules: Equatable, Sendable {
    /// Most tokens; nil: what the model was made for.
    package var maximumLength: Int?
    package var tooLong = DataRules.TooLong.cut
    /// Prompts are learned as well as answers.
    package var learnsPrompts = false
    /// Images may lie outside of their data file's folder.
    package var allowsOutside = false
    /// Of so many examples of each file the text is kept.
    package var shownRows = 0

    package init() {}
  }

  package let inputs: Inputs
  package let options: TrainingOptions
  package let model: LanguageModel
  package let data: [DataFile]
  package let run: TrainingRun
  let work: WorkOptions
  let fingerprints: [FingerprintedTensor]
  /// Who the base is: of all its bits.
  let baseRoot: ContentDigest

  /// Reads and checks everything.
  /// - Throws: the first thing that is wrong, before the first step.
  package init(_ inputs: Inputs, _ options: TrainingOptions, _ work: WorkOptions) throws {
    self.options = options
    self.work = work
    model = try LanguageModel(
      inputs.base, compute: Compute(threads: work.threads, precision: options.compute), features: inputs.features)
    // The plan first: a recipe that matches nothing need not wait for data and model to be read.
    let plan = try TuningPlan(model, options)
    let text = try ModelText(model: inputs.base.folder(), chatTemplate: inputs.chatTemplate)
    var inputs = inputs
    inputs.usesDate = (try? text.template.usesDate) ?? false
    self.inputs = inputs
    var rules = DataRules(
      vocabulary: model.vocabularySize, maximumLength: inputs.rules.maximumLength ?? model.config.maximumLength,
      tooLong: inputs.rules.tooLong, learnsEverything: inputs.rules.learnsPrompts,
      allowsOutside: inputs.rules.allowsOutside)
    rules.shownRows = inputs.rules.shownRows
    data = try inputs.data.map { try DataFile(path: $0, text, rules, work) }
    var neutral: [TokenSequence] = []
    var neutralDigest: ContentDigest?
    if options.drift != nil {
      if let path = inputs.neutral {
        rules.needsAnswers = false
        let file = try DataFile(path: path, text, rules, work)
        (neutral, neutralDigest) = (file.examples.map(\.sequence), file.digest)
      } else {
        let tokenizer = try Self.neutralTokenizer(text)
        neutral = NeutralText.paragraphs.map { TokenSequence(tokenizer.encode($0)) }
      }
      guard neutral.count > 1 else {
        throw VPatchError(.refused, inputs.neutral, "has one row, and the spread between rows needs two")
      }
      guard !plan.tunesVisionOnly || neutral.contains(where: { !$0.images.isEmpty }) else {
        throw VPatchError(
          .refused, inputs.neutral,
          "drift would be measured on text without images, and what is tuned is not asked for there",
          remedy: "name rows with images with --neutral")
      }
    }
    fingerprints = try TunedTensors(base: inputs.base, work: work).fingerprints()
    baseRoot = ContentDigest.root(of: fingerprints.lazy.map { ($0.info.name, $0.fingerprint) })
    if let last = inputs.base.steps.last, last.to != baseRoot {
      throw VPatchError(
        .wrongBase, inputs.base.path,
        "is not the model that \(last.patch.label) makes: tensors that no patch touches differ",
        remedy: "'vpatch verify \(last.patch.label) --base …' says which")
    }
    let isOne = inputs.data.count == 1
    let names = data.flatMap { file in file.lines.map { isOne ? "line \($0)" : "\(Path.name(file.path)):\($0)" } }
    run = try TrainingRun(
      model, options, examples: data.flatMap(\.examples), rowNames: names, neutral: neutral,
      stateFolder: inputs.stateFolder, saveEvery: inputs.saveEvery,
      identity: Self.identity(options, baseRoot, data, inputs, neutralDigest, model.compute))
  }

  /// Of the bytes of all images, row by row; nil where there are none.
  private static func images(_ data: [DataFile]) -> ContentDigest? {
    let digests = data.lazy.flatMap(\.examples).flatMap(\.sequence.images).map(\.digest)
    guard !digests.isEmpty else { return nil }
    let hash = SHA256Hasher()
    for digest in digests { hash.update(digest.bytes) }
    return hash.finalize()
  }

  private static func neutralTokenizer(_ text: ModelText) throws -> Tokenizer {
    do { return try text.tokenizer } catch let error as VPatchError {
      throw VPatchError(
        error.code, error.subject, "\(error.reason), and drift is measured on text",
        remedy: "\(error.remedy.map { "\($0), or " } ?? "")name rows of input_ids with --neutral")
    }
  }

  /// All that the run's bits depend on. The number of threads is not among it.
  private static func identity(
    _ options: TrainingOptions, _ root: ContentDigest, _ data: [DataFile], _ inputs: Inputs, _ neutral: ContentDigest?,
    _ compute: Compute
  ) -> JSON {
    var members = settings(options, inputs)
    func add(_ key: String, _ text: String?) {
      if let text { members.append(JSON.Member(key, .string(text))) }
    }
    add("base", root.hex)
    add("data", data.map(\.digest.hex).joined(separator: " "))
    add("images", images(data)?.hex)
    add("neutral", neutral?.hex)
    add("kernels", compute.arithmetic)
    add("tuned", "\(options.selection)")
    add("layers", options.layers.map { "\($0.lowerBound)-\($0.upperBound)" })
    return .object(members)
  }
}
