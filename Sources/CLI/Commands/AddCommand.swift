import Apply
import ArgumentParser
import Base
import Catalogue
import PatchFormat
import Workspace

struct AddCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add patches to the store.",
    discussion: """
      The store keeps one verified copy of each patch. Wherever a command takes a patch, name it by its alias, by a \
      tag that no other patch has, or by the first digits of its identity.

      EXAMPLES
        vpatch add counting.vpatch
        vpatch add counting.vpatch --name triage/counting
        vpatch add patches/*.vpatch --tag sweep-7
        vpatch add adapter/ --base base/ --name counting
            a LoRA adapter as PEFT saves it, merged into its base by vpatch; the patch keeps it whole
      """)

  @Argument(
    help: ArgumentHelp("Patch files; with --base also folders of LoRA adapters.", valueName: "file"),
    completion: .file())
  var files: [String]
  @Option(help: ArgumentHelp("The base that the adapters were trained on.", valueName: "model"), completion: .file())
  var base: String?
  @Option(
    help: "Alias, for a single patch. (default: the patch's own name, if free)")
  var name: String?
  @Flag(help: "Take the --name from another patch that has it.")
  var force = false
  @Option(help: ArgumentHelp("Tag for all of the patches; repeatable.", valueName: "tag"))
  var tag: [String] = []
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if name != nil, files.count > 1 { throw ValidationError("--name requires a single file.") }
    if force, name == nil { throw ValidationError("--force requires --name.") }
  }

  func run() throws {
    var bytes = 0
    var (patches, adapters): ([String], [String]) = ([], [])
    for file in files {
      switch try PathKind.of(file) {
      case .missing: throw VPatchError(.io, file, "does not exist", remedy: "nothing was added")
      case .directory where try PEFTAdapter.isOne(file):
        guard base != nil else {
          throw VPatchError(
            .refused, file, "is a LoRA adapter", remedy: "give the base that it was trained on: --base MODEL")
        }
        adapters.append(file)
      case .directory:
        let error = try Workspace.isFolder(file)
        throw error.reason.hasPrefix("is a directory")
          ? error.advising("give its files: \(Path.join(file, "*.vpatch"))") : error
      default:
        patches.append(file)
        bytes += try InputFile(path: file).size
      }
    }
    for tag in tag { try Name.check(tag, "tag") }
    let store = try store.open(create: true)
    if let name, !force, let patch = patches.first { try store.requireFree(name, for: Patch(path: patch).identity) }
    let work = common.work
    work.progress.begin("adding", total: bytes)
    var additions: [Addition] = []
    // Also if one of the files is not a patch: those added before it must be reported.
    defer { if !additions.isEmpty || files.isEmpty { report(additions) } }
    if !patches.isEmpty {
      try store.add(
        patches, as: Admission(alias: name, tags: tag), threads: work.threads,
        progress: { work.progress.advance($0) }, each: { additions.append($0) })
    }
    let workspace = workspace
    for adapter in adapters {
      additions.append(try workspace.add(adapter: adapter, base: base!, alias: name, force: force, tags: tag))
    }
    if !adapters.isEmpty {
      common.note("an adapter does not name its base by its weights: \(base!) is taken as declared, not proved")
    }
  }

  private func report(_ additions: [Addition]) {
    let json = JSON.dictionary(["patches": .array(additions.map(\.json))])
    common.report(json, text: text(additions))
    for addition in additions {
      for note in addition.allNotes { common.note(note) }
    }
  }

  private func text(_ additions: [Addition]) -> String {
    func count(_ outcome: Addition.Outcome) -> Int { additions.count { $0.outcome == outcome } }
    var lines: [String] = []
    // A line for each patch, if they are few.
    if additions.count <= 20 {
      lines = additions.map {
        "\($0.outcome.words.padded(11))\($0.identity.short)  \($0.alias ?? Path.name($0.path).printable)"
      }
    }
    if additions.count != 1 {
      let parts = [Addition.Outcome.added, .present, .restored, .completed].map { ($0, count($0)) }
        .filter { $0.1 > 0 }.map { "\(Format.grouped($0.1)) \($0.0.words)" }
      let bytes = additions.filter { $0.outcome == .added }.reduce(0) { $0 + $1.fileBytes }
      lines.append(
        Format.counted(additions.count, "file") + (parts.isEmpty ? "" : ": \(parts.joined(separator: ", "))")
          + ", \(Format.bytes(bytes)) new")
    }
    return lines.joined(separator: "\n")
  }
}

extension Addition.Outcome {
  var words: String {
    switch self {
    case .added: "added"
    case .present: "known"
    case .restored: "restored"
    case .completed: "completed"
    }
  }
}

extension Addition {
  var json: JSON {
    .dictionary([
      "file": .string(path), "identity": .string(identity.hex), "outcome": .string(outcome.rawValue),
      "bytes": JSON(fileBytes), "alias": alias.map { .string($0) },
    ])
  }

  /// Notes about the addition.
  var allNotes: [String] {
    notes
      + (aliasWasOf.map { ["the alias \(alias ?? "") moved from \($0.short) to \(identity.short)"] } ?? [])
  }
}
