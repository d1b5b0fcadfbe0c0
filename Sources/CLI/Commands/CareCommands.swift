import ArgumentParser
import Base
import Catalogue

struct RemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm",
    abstract: "Delete patches from the store.",
    discussion: """
      Deletes all of them or none. vpatch refuses to delete a patch that a stack contains or that is needed to revert \
      a model. A patch with tags, or with aliases other than the given one, requires --force. Files outside the store \
      stay.

      EXAMPLES
        vpatch rm counting
      """)

  @Argument(help: "The patches to delete.")
  var patches: [String]
  @Flag(help: "Also delete patches that have tags or other aliases.")
  var force = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let store = try store.open()
    let (identities, bytes) = try store.remove(patches.map { try PatchName($0) }, force: force)
    common.report(
      .dictionary(["deleted": .array(identities.map { .string($0.hex) }), "bytes": JSON(bytes)]),
      text: "deleted \(Format.counted(identities.count, "patch", plural: "patches")), \(Format.bytes(bytes))")
  }
}

struct FsckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fsck",
    abstract: "Check the whole store: the catalogue, and every byte of every patch.",
    discussion: """
      Exit code 2 if something is wrong. --repair does only what loses nothing: it writes catalogue rows again from \
      the patch files, adds patches that the catalogue lacks, and deletes leftovers of interrupted processes. To fix a \
      missing or damaged patch, add its file again.

      EXAMPLES
        vpatch fsck
        vpatch fsck --repair
      """)

  @Flag(help: "Repair what can be repaired without losing anything.")
  var repair = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let path = try store.location.path()
    // --repair creates a lost catalogue again from the files, but not a missing store.
    let store = try store.open(create: repair && PathKind.of(path) == .directory)
    let work = common.work
    let report = try store.check(
      repair: repair, threads: work.threads, begin: { work.progress.begin("checking", total: $0) },
      progress: { work.progress.advance($0) })
    common.print(json(report), isReport: repair, text: text(report))
    let open = report.findings.count { !$0.isRepaired }
    guard open == 0 else {
      let canMend = !repair && report.findings.contains { [.stale, .unknown, .temporary].contains($0.kind) }
      throw VPatchError(
        .invalid, path, "has \(Format.counted(open, "problem"))",
        remedy: canMend
          ? "--repair fixes what can be fixed without loss" : "add lost or damaged patches again with 'vpatch add'")
    }
  }

  private func text(_ report: CheckReport) -> String {
    let findings = report.findings.map {
      "\(($0.isRepaired ? "repaired" : $0.kind.rawValue).padded(11))\($0.subject.printable): \($0.what.printable)"
    }
    let looked =
      "\(Format.counted(report.patches, "patch", plural: "patches")), \(Format.bytes(report.bytes)) read again"
    return (findings + [report.findings.isEmpty ? "\(looked): all is well" : looked]).joined(separator: "\n")
  }

  private func json(_ report: CheckReport) -> JSON {
    .dictionary([
      "ok": .bool(report.isSound), "patches": JSON(report.patches), "bytes": JSON(report.bytes),
      "findings": .array(
        report.findings.map {
          .dictionary([
            "kind": .string($0.kind.rawValue), "subject": .string($0.subject), "what": .string($0.what),
            "repaired": .bool($0.isRepaired),
          ])
        }),
    ])
  }
}

struct GcCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gc",
    abstract: "Delete unused files from the store.",
    discussion: """
      Deletes composites that no stack and no model in use needs, files that the catalogue does not list, and \
      leftovers of interrupted processes; never a patch that was added or that is needed to revert a model. Without \
      --yes, gc only shows what it would delete.

      EXAMPLES
        vpatch gc
        vpatch gc --yes
        vpatch gc --forget /srv/model.safetensors --yes     for a model that no longer exists
      """)

  @Flag(help: "Delete the listed items.")
  var yes = false
  @Option(help: ArgumentHelp("Model that no longer exists: keep nothing to revert it; repeatable.", valueName: "model"))
  var forget: [String] = []
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let store = try store.open()
    let forgetting = try forget.map(Path.absolute)
    let garbage = try yes ? store.collect(forgetting: forgetting) : store.garbage(forgetting: forgetting)
    common.print(json(garbage), isReport: yes, text: text(garbage))
  }

  private func text(_ garbage: Garbage) -> String {
    let lines =
      garbage.derived.map { "\($0.kind.rawValue.padded(11))\($0.identity.short)  \(Format.bytes($0.fileBytes))" }
      + garbage.orphans.map { "unknown    \($0.printable)" }
      + garbage.temporaries.map { "temporary  \($0.printable)" }
    guard !lines.isEmpty else { return "nothing to delete" }
    let sum =
      yes ? "\(Format.bytes(garbage.bytes)) freed" : "\(Format.bytes(garbage.bytes)) to free: --yes deletes it"
    return (lines + [sum]).joined(separator: "\n")
  }

  private func json(_ garbage: Garbage) -> JSON {
    .dictionary([
      "deleted": .bool(yes), "bytes": JSON(garbage.bytes),
      "derived": .array(garbage.derived.map(\.json)), "unknown": .array(garbage.orphans.map { .string($0) }),
      "temporary": .array(garbage.temporaries.map { .string($0) }),
    ])
  }
}
