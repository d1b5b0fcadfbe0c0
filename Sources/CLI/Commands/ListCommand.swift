import Apply
import ArgumentParser
import Base
import Catalogue
import Measure
import Report

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the patches in the store, newest first.",
    discussion: """
      EXAMPLES
        vpatch list
        vpatch list count --recipe sa-proj --max-drift 0.02
        vpatch list --base 7e4d --tag sweep-7 --json
        vpatch list --base counting     patches made on top of the patch counting
        vpatch list --wide              all columns, also where they do not fit
      """)

  @Argument(help: ArgumentHelp("Only patches whose name contains this.", valueName: "name"))
  var name: String?
  @Option(
    help: ArgumentHelp(
      "Only patches of this base: the first digits of a root, a model's path, or a patch, meaning its target.",
      valueName: "base"))
  var base: String?
  @Option(help: ArgumentHelp("Only patches of this recipe.", valueName: "name"))
  var recipe: Recipe?
  @Option(help: ArgumentHelp("Only patches with this tag.", valueName: "tag"))
  var tag: String?
  @Option(
    help: ArgumentHelp("Only patches with a known drift of at most this, in nats per token.", valueName: "n"))
  var maxDrift: Double?
  @Flag(help: "Only patches whose forgetting was measured.")
  var measured = false
  @Flag(help: "Only patches whose forgetting was not measured.")
  var unmeasured = false
  @Flag(help: "Also list the composites of stacks, and undo patches.")
  var all = false
  @Option(help: ArgumentHelp("Maximum number of patches; 0: all. (default: 100; with --json all)", valueName: "n"))
  var limit: Int?
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if measured, unmeasured { throw ValidationError("Give --measured or --unmeasured, not both.") }
    if let limit, limit < 0 { throw ValidationError("--limit must be at least 0.") }
    if let maxDrift, !maxDrift.isFinite { throw ValidationError("--max-drift must be a number.") }
  }

  func run() throws {
    let store = try store.open()
    var filter = PatchFilter()
    filter.name = name
    filter.base = try base.map { try store.resolveBase($0, absolutePath: Path.absolute($0)) }
    filter.recipe = recipe?.rawValue
    filter.tag = tag
    filter.maximumDrift = maxDrift
    filter.isMeasured = measured ? true : unmeasured ? false : nil
    filter.includesDerived = all
    let most = limit ?? (common.json ? 0 : 100)
    if most > 0, most < .max { filter.limit = most + 1 }
    var patches = try store.patches(filter)
    var more: String?
    if most > 0, patches.count > most {
      patches.removeLast(patches.count - most)
      more = "the newest \(Format.grouped(most)) of \(Format.grouped(try store.count(filter))); --limit 0 lists all"
    }
    common.print(.dictionary(["patches": .array(patches.map(\.json))]), text: text(patches))
    if let more { common.note(more) }
  }

  /// What one looks for comes first; the rest is shown where there is room.
  private func text(_ patches: [StoredPatch]) -> String {
    guard !patches.isEmpty else { return "no patches" }
    // Columns that would be empty are left out.
    let hasDrift = patches.contains { $0.summary.drift != nil }
    let hasTags = patches.contains { !$0.tags.isEmpty }
    var columns: [TextTable.Column] = [
      .init("name"), .init("recipe"), .init("learning, pp", .right), .init("forgetting, pp", .right),
    ]
    if hasDrift { columns.append(.init("drift", .right, rank: 1)) }
    columns += [.init("size", .right), .init("age", .right)]
    if all { columns.append(.init("kind", rank: 2)) }
    columns += [.init("identity", rank: 3), .init("base", rank: 4)]
    if hasTags { columns.append(.init("tags", rank: 5)) }
    var table = TextTable(columns + [.init("tensors", .right, rank: 6), .init("added", rank: 7)])
    for patch in patches {
      let summary = patch.summary
      var cells = [
        patch.title, patch.recipe ?? "–", Self.cell(summary.learning, summary.known.learning, sign: true),
        summary.status == .unmeasured
          ? summary.status.rawValue : Self.cell(summary.forgetting, summary.known.forgetting),
      ]
      if hasDrift { cells.append(summary.drift.map { summary.known.drift.prefix + Format.significant($0) } ?? "–") }
      cells += [Format.bytes(patch.fileBytes), Format.age(SourceDate.now - patch.added)]
      if all { cells.append(patch.kind.rawValue) }
      cells += [patch.identity.short, patch.base.short]
      if hasTags { cells.append(patch.tags.joined(separator: " ")) }
      table.add(cells + [Format.grouped(patch.tensors), Format.time(patch.added)])
    }
    return table.lines(width: common.width)
  }

  /// "+4.1 ± 1.2", after its mark if it was not measured.
  private static func cell(_ estimate: Estimate?, _ known: MeasurementStatus, sign: Bool = false) -> String {
    guard let estimate, known != .unmeasured else { return "–" }
    return known.prefix + estimate.text(sign: sign)
  }
}

extension StoredPatch {
  /// All its aliases; without any, the patch's own name in brackets, since it cannot be looked up by that.
  var title: String { aliases.isEmpty ? name.map { "(\($0))" } ?? "–" : aliases.joined(separator: ", ") }

  var json: JSON {
    .dictionary([
      "identity": .string(identity.hex), "aliases": .array(aliases.map { .string($0) }),
      "tags": .array(tags.map { .string($0) }), "kind": .string(kind.rawValue), "name": name.map { .string($0) },
      "note": note.map { .string($0) }, "recipe": recipe.map { .string($0) }, "base": .string(base.hex),
      "target": .string(target.hex), "tensors": JSON(tensors), "tuned_bytes": JSON(tunedBytes),
      "bytes": JSON(fileBytes), "status": .string(summary.status.rawValue),
      "learning": summary.learning.map { $0.json(items: summary.learningItems) },
      "forgetting": summary.forgetting.map { $0.json(items: summary.forgettingItems) },
      "drift": summary.drift.map { JSON($0) }, "known": summary.known.json, "added": JSON(added),
    ])
  }
}
