import Apply
import ArgumentParser
import Base
import Report

struct CreateCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Create a patch from a base and a tuned checkpoint.",
    discussion: """
      The patch holds only the tensors that differ. vpatch refuses a tuned checkpoint that is not a fine-tune of the \
      base, such as an unmerged adapter, a quantised model, or the trained tensors alone (see --partial).

      EXAMPLES
        vpatch create base/ tuned/ -o counting.vpatch --name counting
        vpatch create base.safetensors tuned.safetensors -o task.vpatch --recipe sa-proj
            proves that only the attention projections changed; else lists the others and writes nothing
        vpatch create base/ tuned/ -o task.vpatch --drop-others \\
            --only 'model\\.layers\\.[0-9]+\\.mlp\\..*'
        vpatch create base/ tuned-f32/ -o task.vpatch --cast-to-base --map-keys auto
        vpatch create base/ trained.safetensors -o task.vpatch --partial
            the tuned checkpoint holds only the trained tensors; the others are unchanged
        vpatch create base/ run/checkpoint-500/ -o task.vpatch --cast-to-base
            a distributed checkpoint of PyTorch (FSDP), read as the ranks saved it; tensors that it lacks are unchanged
        vpatch create base/ adapter/ -o task.vpatch --keep-adapter
            a LoRA adapter as PEFT saves it, merged by vpatch; 'vpatch export' writes it again
        vpatch create base/ merged/ --adapter adapter/ -o task.vpatch
            a merged model that exists, exactly; the adapter makes the patch smaller
        vpatch create base/ weight_v000001/ -o task.vpatch
            a canonical delta, as slime and ModelExpress publish new weights

      RECIPES
      \(Recipe.list)
      """)

  enum KeyMapping: String, ExpressibleByArgument, CaseIterable { case auto }

  @Argument(help: "The base checkpoint.", completion: .file())
  var base: String
  @Argument(
    help: ArgumentHelp(
      "The tuned checkpoint, which the patch will reproduce: safetensors, a distributed checkpoint (DCP) or a file of "
        + "torch.save; or the folder of a LoRA adapter (PEFT) to merge, or of a canonical delta."),
    completion: .file())
  var tuned: String
  @Option(help: ArgumentHelp("Check that only the tensors of this recipe changed.", valueName: "name"))
  var recipe: Recipe?
  @Option(
    help: ArgumentHelp(
      "Check that only tensors whose whole name matches this regular expression changed.", valueName: "regex"))
  var only: String?
  @Flag(help: "Leave other changes out of the patch instead of refusing.")
  var dropOthers = false
  @Flag(help: "Cast floats of another dtype to the base's dtype, as PyTorch does (round to nearest, ties to even).")
  var castToBase = false
  @Option(
    help: ArgumentHelp("Match tensors whose names, or whose arrangement, follow another layout.", valueName: "how"))
  var mapKeys: KeyMapping?
  @Flag(help: "Treat tensors that the tuned checkpoint lacks as unchanged: it holds only the trained ones.")
  var partial = false
  @Option(
    help: ArgumentHelp(
      "In a checkpoint of a training run: what the names of the model's tensors begin with.", valueName: "text"))
  var prefix: String?
  @Option(
    help: ArgumentHelp("The LoRA adapter that was merged into the tuned checkpoint.", valueName: "folder"),
    completion: .directory)
  var adapter: String?
  @Flag(help: "Keep the whole adapter in the patch, even if the patch is smaller without it.")
  var keepAdapter = false
  @Flag(help: "Allow the patch to remove tensors that a fine-tune does not remove.")
  var allowRemovals = false
  @Flag(help: "Allow the patch to add tensors that a fine-tune does not add.")
  var allowAdditions = false
  @Flag(help: "Let the patch remove files that the tuned folder lacks; by default they stay as in the base.")
  var removeMissingFiles = false
  @Flag(help: "Also include side files that are links to outside their folder.")
  var allowOutside = false
  @OptionGroup var output: PatchOutput
  @OptionGroup var common: CommonOptions

  var store: StoreOptions { output.store }

  func validate() throws {
    if recipe != nil, only != nil { throw ValidationError("Give --recipe or --only, not both.") }
    if partial, allowRemovals { throw ValidationError("Give --partial or --allow-removals, not both.") }
    if dropOthers, recipe == nil, only == nil { throw ValidationError("--drop-others requires --recipe or --only.") }
  }

  func run() throws {
    let base = try workspace.checkpoint(base)
    let (tuned, plan) = try workspace.tuned(tuned, adapter: adapter, prefix: prefix, over: base)
    if keepAdapter, plan == nil {
      throw VPatchError(
        .refused, self.tuned, "is a model, and --keep-adapter keeps an adapter", remedy: "name it with --adapter FOLDER"
      )
    }
    var options = CreateOptions()
    options.adapter = plan
    options.keepsAdapter = keepAdapter
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
      inputs: base.inputs + tuned.inputs + (plan?.adapter.inputs ?? []), base: base.path, common
    ) { path, _ in try create.write(to: path, replacing: output.force) }
    common.report(
      JSON.dictionary(["output": .string(output.output)]).adding(result.members).setting("stored", to: stored.json),
      text: text(result, stored))
    common.notes(stored)
    for kind in result.retyped {
      let way = kind.canBeCast ? "; --cast-to-base casts them" : ", which cannot be cast"
      common.note(
        "\(Format.counted(kind.tensors, "tensor")) of another dtype replaced whole (\(kind.from) over \(kind.to))\(way)"
      )
    }
    if let adapter = result.adapter {
      common.note("an adapter does not name its base by its weights: \(base.path) is taken as declared, not proved")
      if adapter.isTooFar {
        common.note(
          "the tuned checkpoint is not the base with this adapter merged: \(Format.fixed(adapter.residualBits, 2)) bits a "
            + "weight remain; the patch is exact all the same")
      }
    }
    if result.isLargerThanTensors {
      common.note(
        "the patch has \(Format.grouped(result.fileSize)) bytes and the tensors that it changes "
          + "\(Format.grouped(result.tunedBytes)): storing only these tensors would take less space")
    }
    if !result.sideFilesMissing.isEmpty {
      common.note(
        "the tuned folder lacks \(result.sideFilesMissing.joined(separator: ", ")): applying keeps the base's; "
          + "--remove-missing-files lets the patch remove them")
    }
    if !result.sideFilesLeftOut.isEmpty {
      common.note("too large or in a subfolder, and not included: \(result.sideFilesLeftOut.joined(separator: ", "))")
    }
  }

  private func selection() throws -> Selection? {
    if let recipe { return .recipe(recipe) }
    guard let only else { return nil }
    do { return .only(try NamePattern(only)) } catch { throw VPatchError(.refused, nil, "--only: \(error)") }
  }

  private func text(_ result: CreateResult, _ stored: PatchOutput.Stored) -> String {
    var lines = [PatchSummary(result.header).table(width: common.width)]
    if let recipe = result.recipe {
      let proof =
        self.recipe == nil
        ? "covers all changes"
        : result.dropped.isEmpty ? "proved: nothing else changed" : "other changes are left out"
      lines.append("recipe    \(recipe.rawValue) (\(proof))")
    }
    for (i, cast) in result.casts.enumerated() { lines.append((i == 0 ? "cast      " : "          ") + cast.text) }
    if let config = result.castConfig {
      lines.append("config    dtype \(config.from) → \(config.to), that of the cast tensors")
    }
    if !result.kept.isEmpty {
      lines.append("kept      \(Format.counted(result.kept.count, "tensor")) not on the tuned side, unchanged:")
      lines += result.kept.prefix(5).map { "          \($0.printable)" }
      if result.kept.count > 5 { lines.append("          and \(result.kept.count - 5) more") }
    }
    if result.renamed > 0 {
      lines.append("renamed   \(Format.counted(result.renamed, "tensor")) matched by another layout's names")
    }
    if result.rearranged > 0 {
      lines.append(
        "arranged  \(Format.counted(result.rearranged, "tensor")) read from another arrangement of the same elements")
    }
    if !result.dropped.isEmpty {
      lines.append(
        "dropped   \(Format.counted(result.dropped.count, "changed tensor")), first \(result.dropped[0].printable): "
          + "the patch's target lacks these changes")
    }
    if let adapter = result.adapter { lines += adapter.lines }
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

extension AdapterSummary {
  /// Lines of the report.
  fileprivate var lines: [String] {
    let merged = isMerged ? "merged by vpatch" : "given merged"
    let kept =
      keptTensors == 0
      ? "the patch is smaller without its factors"
      : isWhole
        ? "kept whole (\(Format.bytes(keptBytes))), 'vpatch export' writes it again"
        : "\(Format.counted(keptTensors, "factor")) kept (\(Format.bytes(keptBytes)))"
    return [
      "adapter   \(merged), changes \(Format.counted(tensors, "tensor")); \(kept)",
      "residual  \(Format.fixed(residualBits, 4)) bits a weight between the prediction and the target",
    ]
  }
}
