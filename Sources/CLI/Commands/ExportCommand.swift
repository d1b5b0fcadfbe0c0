import Apply
import ArgumentParser
import Base
import Workspace

struct ExportCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a patch in another form: as a LoRA adapter, or as a canonical delta.",
    discussion: """
      --peft: a patch that was created from a LoRA adapter holds it, if that makes the patch smaller or with \
      --keep-adapter. The two files are those that PEFT saved; their SHA-256 is checked.

      --peft with --rank or --error: any patch, approximated. Each changed matrix becomes the nearest product of two \
      factors (singular value decomposition, by LAPACK); embeddings, norms and biases are saved whole. The output and \
      the folder's README.md say what error is left.

      --canonical-delta: the folder with which slime and ModelExpress bring new weights to inference servers: the XOR \
      of old and new bytes of each changed tensor, compressed with zstd. 'vpatch create BASE FOLDER' makes the same \
      patch of it again.

      EXAMPLES
        vpatch export task.vpatch --peft adapter/
        vpatch export task.vpatch --base base/ --peft adapter/ --rank 32
        vpatch export task.vpatch --base base/ --peft adapter/ --error 0.1
            the smallest ranks that leave a tenth of each change
        vpatch export task.vpatch --base base/ --canonical-delta weight_v000001/
        vpatch export task.vpatch --base base/ --canonical-delta weight_v000007/ \\
            --weight-version 000007 --base-version 000006
      """)

  @Argument(help: ArgumentHelp("The patch: a file, or its name in the store.", valueName: "patch"))
  var patch: String
  @Option(help: ArgumentHelp("The new folder for the adapter.", valueName: "folder"), completion: .directory)
  var peft: String?
  @Option(help: ArgumentHelp("The new folder for the canonical delta.", valueName: "folder"), completion: .directory)
  var canonicalDelta: String?
  @Option(help: ArgumentHelp("Approximate the patch by factors of this rank.", valueName: "n"))
  var rank: Int?
  @Option(
    help: ArgumentHelp(
      "Approximate the patch by factors that leave at most this share of each matrix's change.", valueName: "share"))
  var error: Double?
  @Option(
    help: ArgumentHelp(
      "The base: a canonical delta refers to its bytes, and factors approximate the change from it.", valueName: "model"
    ),
    completion: .file())
  var base: String?
  @Option(
    help: ArgumentHelp("Version of the weights that the delta makes. (default: 000001)", valueName: "name"))
  var weightVersion: String?
  @Option(
    help: ArgumentHelp(
      "Version of the base. (default: 000000, for slime the model that the server was started with)", valueName: "name")
  )
  var baseVersion: String?
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  private var versions: (new: String, base: String) { (weightVersion ?? "000001", baseVersion ?? "000000") }

  func validate() throws {
    guard (peft == nil) != (canonicalDelta == nil) else {
      throw ValidationError("Give --peft FOLDER or --canonical-delta FOLDER.")
    }
    let isDelta = canonicalDelta != nil
    if isDelta, base == nil { throw ValidationError("--canonical-delta requires --base MODEL.") }
    if !isDelta, weightVersion != nil || baseVersion != nil {
      throw ValidationError("--weight-version and --base-version belong to --canonical-delta.")
    }
    if rank != nil, error != nil { throw ValidationError("Give --rank or --error, not both.") }
    let isApproximate = rank != nil || error != nil
    if isDelta, isApproximate { throw ValidationError("--rank and --error belong to --peft.") }
    if isApproximate, base == nil { throw ValidationError("--rank and --error require --base MODEL.") }
    if !isDelta, !isApproximate, base != nil {
      throw ValidationError("--base belongs to --canonical-delta, or to --peft with --rank or --error.")
    }
    guard !versions.new.isEmpty, !versions.base.isEmpty, versions.new != versions.base else {
      throw ValidationError("--weight-version and --base-version must be two different names.")
    }
  }

  func run() throws {
    let patch = try workspace.patch(patch)
    if let peft, let base, let size = rank.map(AdapterExtraction.Size.rank) ?? error.map(AdapterExtraction.Size.error) {
      return try extract(
        AdapterExtraction(patch, over: workspace.checkpoint(base), size, work: common.work), to: peft)
    }
    if let peft {
      let files = try patch.exportAdapter(to: peft)
      return common.report(json(files, in: peft, patch.identity), text: lines(files, in: peft))
    }
    guard let folder = canonicalDelta, let base else { preconditionFailure("validated") }
    let export = DeltaExport(
      patch, over: try workspace.checkpoint(base), version: versions.new, baseVersion: versions.base, work: common.work)
    let result = try export.write(to: folder)
    let patchBytes = try InputFile(path: patch.path).size
    let json = json(result.files, in: folder, patch.identity).adding([
      JSON.Member("weight_version", .string(versions.new)), JSON.Member("base_version", .string(versions.base)),
      JSON.Member("tensors", JSON(result.tensors)), JSON.Member("tuned_bytes", JSON(result.tunedBytes)),
      JSON.Member("bytes", JSON(result.bytes)), JSON.Member("patch_bytes", JSON(patchBytes)),
      JSON.Member("side_files_left_out", .array(result.sideFilesLeftOut.map { .string($0) })),
    ])
    common.report(
      json,
      text: """
        version   \(versions.new.printable), over \(versions.base.printable)
        size      \(Format.grouped(result.bytes)) bytes for \(Format.counted(result.tensors, "tensor")) of \
        \(Format.bytes(result.tunedBytes)); the patch has \(Format.grouped(patchBytes))
        \(lines(result.files, in: folder))
        """)
    if !result.sideFilesLeftOut.isEmpty {
      common.note(
        "a canonical delta has weights only; the patch also changes \(result.sideFilesLeftOut.joined(separator: ", "))")
    }
    if let head = result.tiedHead {
      common.note(
        "ModelExpress does not read \(head) of a model with tied embeddings and refuses the delta; slime applies it")
    }
  }

  private func extract(_ extraction: AdapterExtraction, to folder: String) throws {
    let result = try extraction.write(to: folder)
    let matrices = result.matrices
    let ranks = matrices.map(\.rank)
    let worst = matrices.max { $0.relativeError < $1.relativeError }
    let json = json(result.files, in: folder, extraction.patch.identity).adding([
      JSON.Member("exact", .bool(false)), JSON.Member("error", JSON(result.relativeError)),
      JSON.Member(
        "matrices",
        .array(
          matrices.map {
            .dictionary([
              "name": .string($0.name), "rank": JSON($0.rank), "norm": JSON($0.norm), "error": JSON($0.relativeError),
            ])
          })), JSON.Member("whole", .array(result.whole.map { .string($0) })),
    ])
    var text: [String] = []
    if let worst, let least = ranks.min(), let most = ranks.max() {
      text.append(
        "factors   \(Format.counted(matrices.count, "matrix", plural: "matrices")), rank "
          + (least == most ? "\(least)" : "\(least) to \(most)"))
      text.append(
        "error     \(Format.percent(result.relativeError)) of the change; at most "
          + "\(Format.percent(worst.relativeError)), in \(worst.name.printable)")
    }
    if !result.whole.isEmpty {
      text.append("whole     \(Format.counted(result.whole.count, "tensor")) without factors")
    }
    common.report(json, text: (text + [lines(result.files, in: folder)]).joined(separator: "\n"))
    common.note(
      "the adapter approximates the patch, and is not exact; \(Path.join(folder, "README.md").printable) has the errors"
    )
    for (name, rows) in result.resized {
      common.note(
        "\(name.printable) has \(Format.grouped(rows)) rows, another number than in the base: resize the model before "
          + "PEFT loads the adapter, model.resize_token_embeddings(\(rows))")
    }
  }

  private func lines(_ files: [ExportedFile], in folder: String) -> String {
    files.map {
      "wrote     \(Path.join(folder, $0.name).printable)  \(Format.bytes($0.bytes))  sha256 \($0.digest.short)"
    }.joined(separator: "\n")
  }

  private func json(_ files: [ExportedFile], in folder: String, _ identity: ContentDigest) -> JSON {
    JSON.dictionary([
      "output": .string(folder), "identity": .string(identity.hex),
      "files": .array(
        files.map {
          .dictionary(["name": .string($0.name), "bytes": JSON($0.bytes), "sha256": .string($0.digest.hex)])
        }),
    ])
  }
}
