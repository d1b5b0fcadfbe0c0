import Apply
import ArgumentParser
import Base
import Report

struct CreateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Make a patch from a base and a tuned checkpoint.",
    discussion: """
      Only the tensors that differ by content enter the patch. What is no fine-tune of the base is refused: an adapter \
      that is not merged, a quantised model, the trained tensors alone (--partial takes those).

      EXAMPLES
        vpatch create base/ tuned/ -o counting.vpatch --name counting
        vpatch create base.safetensors tuned.safetensors -o task.vpatch --recipe sa-proj
            proves that nothing but the attention projections changed, or writes nothing and says what did
        vpatch create base/ tuned/ -o task.vpatch --only 'model\\.layers\\.[0-9]+\\.mlp\\..*' --drop-others
        vpatch create base/ tuned-f32/ -o task.vpatch --cast-to-base --map-keys auto
        vpatch create base/ trained.safetensors -o task.vpatch --partial
            the tuned side has the trained tensors alone, and the others are unchanged

      RECIPES
      \(Recipe.allCases.map { "  \($0.rawValue.padded(12))\($0.summary)" }.joined(separator: "\n"))
      """)

  enum KeyMapping: String, ExpressibleByArgument, CaseIterable { case auto }

  @Argument(help: "The checkpoint that the patch will apply to.")
  var base: String
  @Argument(help: "The checkpoint that the patch will make.")
  var tuned: String
  @Option(help: ArgumentHelp("Prove that only this recipe's tensors changed.", valueName: "name"))
  var recipe: Recipe?
  @Option(help: ArgumentHelp("The same for tensors whose whole name matches a regular expression.", valueName: "regex"))
  var only: String?
  @Flag(help: "Leave out what else changed, instead of refusing.")
  var dropOthers = false
  @Flag(help: "Cast floats of another dtype to the base's, as PyTorch does: to nearest, ties to even.")
  var castToBase = false
  @Option(help: ArgumentHelp("auto: find the same tensors under another layout's names.", valueName: "how"))
  var mapKeys: KeyMapping?
  @Flag(help: "Tensors that the tuned side lacks are unchanged: it holds the trained ones alone.")
  var partial = false
  @Flag(help: "Let the patch remove tensors that no fine-tune removes.")
  var allowRemovals = false
  @Flag(help: "Let the patch add tensors that no fine-tune adds.")
  var allowAdditions = false
  @Flag(help: "Let the patch remove files that the tuned folder lacks; else they stay as in the base.")
  var removeMissingFiles = false
  @Flag(help: "Take side files that are links to somewhere outside of their folder, too.")
  var allowOutside = false
  @OptionGroup var output: PatchOutput
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if recipe != nil, only != nil { throw ValidationError("Give --recipe or --only, not both.") }
    if partial, allowRemovals { throw ValidationError("Give --partial or --allow-removals, not both.") }
    if dropOthers, recipe == nil, only == nil { throw ValidationError("--drop-others needs --recipe or --only.") }
  }

  func run() throws {
    let base = try Inputs.checkpoint(base, common)
    let tuned = try Inputs.checkpoint(tuned, common)
    var options = CreateOptions()
    options.selection = try selection()
    options.dropOthers = dropOthers
    options.castToBase = castToBase
    options.isPartial = partial
    options.allowsRemovals = allowRemovals
    options.allowsAdditions = allowAdditions
    options.mapKeys = mapKeys != nil
    options.removeMissingFiles = removeMissingFiles
    options.allowsOutside = allowOutside
    options.name = output.name
    options.note = output.note
    let create = Create(base: base, tuned: tuned, options: options, work: common.work)
    let (result, stored) = try output.write(
      inputs: (base.files + tuned.files).map(\.input), base: base.path, common
    ) { path, _ in try create.write(to: path, replacing: output.force) }
    common.report(json(result, stored), text: text(result, stored))
    common.notes(stored)
    for kind in result.retyped {
      let way = kind.canBeCast ? "; --cast-to-base casts them" : ", which cannot be cast"
      common.note(
        "\(Format.counted(kind.tensors, "tensor")) of another dtype replaced whole (\(kind.from) over \(kind.to))\(way)"
      )
    }
    if result.isLargerThanTensors {
      common.note(
        "the patch has \(Format.grouped(result.fileSize)) bytes and the tensors that it makes "
          + "\(Format.grouped(result.tunedBytes)): these tensors alone would take less room")
    }
    if !result.sideFilesMissing.isEmpty {
      common.note(
        "the tuned folder lacks \(result.sideFilesMissing.joined(separator: ", ")): what the base has of that stays; "
          + "--remove-missing-files lets the patch remove it")
    }
    if !result.sideFilesLeftOut.isEmpty {
      common.note("too large, or in a folder, and do not travel: \(result.sideFilesLeftOut.joined(separator: ", "))")
    }
  }

  private func selection() throws -> Selection? {
    if let recipe { return .recipe(recipe) }
    guard let only else { return nil }
    do { return .only(try NamePattern(only)) } catch { throw VPatchError(.refused, nil, "--only: \(error)") }
  }

  private func json(_ result: CreateResult, _ stored: PatchOutput.Stored) -> JSON {
    JSON.dictionary([
      "output": .string(output.output), "identity": .string(result.header.identity.hex),
      "base": .string(result.header.baseRoot.hex), "target": .string(result.header.targetRoot.hex),
      "recipe": result.recipe.map { .string($0.rawValue) }, "layout": .string(result.layout.name),
      "bytes": JSON(result.fileSize), "tuned_bytes": JSON(result.tunedBytes), "model_bytes": JSON(result.modelBytes),
      "changes": PatchSummary(result.header).json,
      "cast": .array(result.cast.map { .string($0) }), "casts": .array(result.casts.map(\.json)),
      "unchanged_missing": JSON(result.unchangedMissing), "renamed": JSON(result.renamed),
      "dropped": .array(result.dropped.map { .string($0) }),
      "side_files": .array(result.sideFiles.map { .string($0) }),
      "side_files_left_out": .array(result.sideFilesLeftOut.map { .string($0) }),
      "side_files_missing": .array(result.sideFilesMissing.map { .string($0) }), "stored": stored.json,
    ]).adding(result.sideFileSummary.members)
  }

  private func text(_ result: CreateResult, _ stored: PatchOutput.Stored) -> String {
    var lines = [PatchSummary(result.header).table()]
    if let recipe = result.recipe {
      let proof =
        self.recipe == nil
        ? "what changes amounts to it"
        : result.dropped.isEmpty ? "proved: nothing else changed" : "what else changed is left out"
      lines.append("recipe    \(recipe.rawValue) (\(proof))")
    }
    for (i, cast) in result.casts.enumerated() { lines.append((i == 0 ? "cast      " : "          ") + cast.text) }
    if let config = result.castConfig {
      lines.append("config    says \(config.to), as the cast tensors are, and no longer \(config.from)")
    }
    if result.unchangedMissing > 0 {
      lines.append("partial   \(Format.counted(result.unchangedMissing, "tensor")) that the tuned side lacks stay")
    }
    if result.renamed > 0 {
      lines.append("renamed   \(Format.counted(result.renamed, "tensor")) found under another layout's names")
    }
    if !result.dropped.isEmpty {
      lines.append(
        "dropped   \(Format.counted(result.dropped.count, "changed tensor")), first \(result.dropped[0].printable): "
          + "the target is the reduced one")
    }
    if let files = result.sideFileSummary.text { lines.append("files     \(files.printable)") }
    lines.append(
      """
      size      \(Format.grouped(result.fileSize)) bytes: \(share(result.fileSize, result.tunedBytes)) of the tuned \
      tensors (\(Format.bytes(result.tunedBytes))), \(share(result.fileSize, result.modelBytes)) of the model \
      (\(Format.bytes(result.modelBytes)))
      identity  \(result.header.identity.hex)
      wrote     \(output.output.printable)
      """)
    return (lines + stored.lines).joined(separator: "\n")
  }

  private func share(_ a: Int, _ b: Int) -> String { b == 0 ? "–" : Format.percent(Double(a) / Double(b)) }
}

extension String {
  func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
