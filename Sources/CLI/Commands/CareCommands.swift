import ArgumentParser
import Base
import Catalogue

struct RemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm",
    abstract: "Delete patches from the store.",
    discussion: """
      All of them or none. Refused for a patch that a stack has, or that it takes to revert a model; for one that has \
      tags, or other aliases than the one it is called by here, without --force. Files outside the store stay.

      EXAMPLES
        vpatch rm counting
      """)

  @Argument(help: "Patches.")
  var patches: [String]
  @Flag(help: "Delete its tags and other aliases too.")
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
      Exit code 2 if something is wrong. --repair does only what loses nothing: rows are written anew from their files, \
      patches that the catalogue does not know are taken in, what interrupted processes left is deleted. A patch whose \
      file is gone or damaged is mended by adding its file again.

      EXAMPLES
        vpatch fsck
        vpatch fsck --repair
      """)

  @Flag(help: "Mend what can be mended without losing anything.")
  var repair = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let path = try store.path()
    // With --repair a lost catalogue is made anew from the files; a store that is not there is not.
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
        .invalid, path, "is not as it should be: \(Format.counted(open, "finding"))",
        remedy: canMend ? "--repair mends what loses nothing" : "add lost or damaged patches again with vpatch add")
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
    abstract: "Delete what nothing in the store refers to.",
    discussion: """
      Composites that no stack and no model in use needs, files that the catalogue does not know, what interrupted \
      processes left. Never a patch that was added, nor one that it takes to revert a model. Without --yes it only shows.

      EXAMPLES
        vpatch gc
        vpatch gc --yes
        vpatch gc --forget /srv/model.safetensors --yes     nothing needs to stay for a model that is no more
      """)

  @Flag(help: "Delete what is shown.")
  var yes = false
  @Option(help: ArgumentHelp("Keep nothing to revert this model, which is no more.", valueName: "model"))
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
      yes ? "\(Format.bytes(garbage.bytes)) freed" : "\(Format.bytes(garbage.bytes)) to free: --yes deletes this"
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
