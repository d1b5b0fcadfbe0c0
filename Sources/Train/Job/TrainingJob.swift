import Apply
import Base
import Checkpoints
import Dispatch
import Evaluate
import Model
import Text

/// Trains a model on data files and makes a patch with a training record and forgetting records.
package struct TrainingJob {
  /// Inputs besides the options.
  package struct Inputs {
    /// The base: a folder, and patches applied in memory.
    package var base: ModelView
    /// Data files of training rows.
    package var data: [String]
    /// File of rows for measuring drift; nil: the paragraphs of `NeutralText`.
    package var neutral: String?
    /// Rows that are held out to measure the loss on; nil: `ValidationSplit.standard` where vpatch chooses the number of
    /// steps and there are enough rows.
    package var validation: ValidationSplit?
    /// Number of prompts whose answers are recorded, before and after.
    package var sampleCount = 0
    /// Measured on the base and on the patched model.
    package var suite: Suite?
    /// The chat template and its arguments; by default the model's own.
    package var chatTemplate = ChatTemplate.Options()
    /// Whether the template uses the date, which is then recorded.
    var usesDate = false
    package var rules: Rules
    /// Cache of image features.
    package var features: FeatureCache?
    /// Folder of the training state, which a run resumes from.
    package var stateFolder: String?
    /// Steps between saved states.
    package var saveEvery = 100
    /// Log file: one line of JSON per step.
    package var log: String?

    package init(base: ModelView, data: [String], rules: Rules = Rules()) {
      self.base = base
      self.data = data
      self.rules = rules
    }
  }

  /// How rows become examples.
  package struct Rules: Equatable, Sendable {
    /// Maximum number of tokens; nil: the model's own limit.
    package var maximumLength: Int?
    package var tooLong = DataRules.TooLong.cut
    /// Whether prompt tokens count in the loss too.
    package var learnsPrompts = false
    /// Whether images may be outside their data file's folder.
    package var allowsOutside = false
    /// Number of examples per file whose text is kept for display.
    package var shownRows = 0

    package init() {}
  }

  package let inputs: Inputs
  /// With the settings that vpatch chose.
  package let options: TrainingOptions
  /// What vpatch would choose, and why.
  package let defaults: TrainingDefaults
  package let model: LanguageModel
  package let data: [DataFile]
  package let run: TrainingRun
  let work: WorkOptions
  let fingerprints: [FingerprintedTensor]
  /// Root digest of the base.
  let baseRoot: ContentDigest

  /// Reads and checks all inputs.
  /// - Throws: the first error found, before the first step.
  package init(_ inputs: Inputs, _ options: TrainingOptions, _ work: WorkOptions) throws {
    self.work = work
    model = try LanguageModel(
      inputs.base, compute: Compute(threads: work.threads, precision: options.compute, blas: options.blas),
      features: inputs.features)
    // The plan first: a recipe without matches should fail before data and model are read.
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
    let examples = data.flatMap(\.examples)
    let split =
      inputs.validation
      ?? (options.chosen.contains(.length) && examples.count >= ValidationSplit.leastRows ? .standard : .none)
    let heldOut = split.heldOut(of: examples.count, seed: options.seed)
    var validation = heldOut.map { examples[$0] }
    if case .file(let path) = split { validation = try DataFile(path: path, text, rules, work).examples }
    guard options.patience == nil || !validation.isEmpty else {
      throw VPatchError(
        .refused, nil, "--early-stop needs rows to measure the loss on",
        remedy: "--validation 0.1 holds a tenth of the rows out, or give a file")
    }
    let trained = examples.indices.filter { !heldOut.contains($0) }
    defaults = TrainingDefaults(
      weights: plan.modelWeights, rows: trained.count, selection: options.selection,
      isByFactors: options.lora != nil, batch: options.chosen.contains(.batch) ? nil : options.batch)
    let options = options.choosing(defaults)
    self.options = options
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
        throw VPatchError(.refused, inputs.neutral, "has one row, but the drift's interval needs at least two")
      }
      guard !plan.tunesVisionOnly || neutral.contains(where: { !$0.images.isEmpty }) else {
        throw VPatchError(
          .refused, inputs.neutral,
          "drift would be measured on text without images, which the tuned tensors do not affect",
          remedy: "give rows with images with --neutral")
      }
    }
    fingerprints = try TunedTensors(base: inputs.base, work: work).fingerprints()
    baseRoot = ContentDigest.root(of: fingerprints.lazy.map { ($0.info.name, $0.fingerprint) })
    if let last = inputs.base.steps.last, last.to != baseRoot {
      throw VPatchError(
        .wrongBase, inputs.base.path,
        "is not the target of \(last.patch.label): tensors that no patch changes differ",
        remedy: "'vpatch verify \(last.patch.label) --base …' names them")
    }
    let isOne = inputs.data.count == 1
    let names = data.flatMap { file in file.lines.map { isOne ? "line \($0)" : "\(Path.name(file.path)):\($0)" } }
    run = try TrainingRun(
      model, options, plan: plan, examples: trained.map { examples[$0] }, rowNames: trained.map { names[$0] },
      neutral: neutral, validation: validation, stateFolder: inputs.stateFolder, saveEvery: inputs.saveEvery,
      identity: Self.identity(options, baseRoot, data, inputs, neutralDigest, validation, model.compute))
  }

  /// Digest of all images' bytes, row by row; nil if there are none.
  private static func images(_ data: [DataFile]) -> ContentDigest? {
    let digests = data.lazy.flatMap(\.examples).flatMap(\.sequence.images).map(\.digest)
    guard !digests.isEmpty else { return nil }
    let hash = SHA256Hasher()
    for digest in digests { hash.update(digest.bytes) }
    return hash.finalize()
  }

  private static func digest(of examples: [Example]) -> ContentDigest {
    let hash = SHA256Hasher()
    for example in examples {
      hash.update([UInt8](littleEndian: UInt64(example.ids.count)))
      for numbers in [example.ids, example.labels] {
        hash.update(numbers.flatMap { [UInt8](littleEndian: UInt32(bitPattern: $0)) })
      }
    }
    return hash.finalize()
  }

  private static func neutralTokenizer(_ text: ModelText) throws -> Tokenizer {
    do { return try text.tokenizer } catch let error as VPatchError {
      throw VPatchError(
        error.code, error.subject, "\(error.reason), and drift is measured on text",
        remedy: "\(error.remedy.map { "\($0), or " } ?? "")give rows of input_ids with --neutral")
    }
  }

  /// Everything that the resulting weights depend on. The number of threads is not part of it.
  private static func identity(
    _ options: TrainingOptions, _ root: ContentDigest, _ data: [DataFile], _ inputs: Inputs, _ neutral: ContentDigest?,
    _ validation: [Example], _ compute: Compute
  ) -> JSON {
    var members = settings(options, inputs)
    func add(_ key: String, _ text: String?) {
      if let text { members.append(JSON.Member(key, .string(text))) }
    }
    add("base", root.hex)
    add("data", data.map(\.digest.hex).joined(separator: " "))
    add("images", images(data)?.hex)
    add("neutral", neutral?.hex)
    add("validation", validation.isEmpty ? nil : digest(of: validation).hex)
    add("kernels", compute.arithmetic)
    add("tuned", "\(options.selection)")
    add("layers", options.layers.map { "\($0.lowerBound)-\($0.upperBound)" })
    return .object(members)
  }
}
