import ArgumentParser
import Base
import Catalogue

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
    let derived =
      report.derived == 0
      ? ""
      : " and " + Format.counted(report.derived, "composite or undo patch", plural: "composites or undo patches")
        + " (list --all)"
    let looked =
      "\(Format.counted(report.patches, "patch", plural: "patches"))\(derived), \(Format.bytes(report.bytes)) read again"
    return (findings + [report.findings.isEmpty ? "\(looked): all is well" : looked]).joined(separator: "\n")
  }

  private func json(_ report: CheckReport) -> JSON {
    .dictionary([
      "ok": .bool(report.isSound), "patches": JSON(report.patches), "derived": JSON(report.derived),
      "bytes": JSON(report.bytes),
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
