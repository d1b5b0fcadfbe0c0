import Base
import Foundation
import GRDB
import PatchFormat
import TestModels
import Testing

/// A catalogue, and patches, from someone who means harm: what they say may be shown, and nothing it says moves the
/// terminal; what they count may be any number, and nothing is killed by it.
@Suite("hostile catalogues") struct HostileCatalogueTests {
  /// A title for the window, colours, a line drawn over, C1, and marks that turn the direction.
  static let hostile = "x\u{1B}]0;owned\u{7}\u{1B}[31m\rred\u{8}\u{9B}2J\u{85}\u{202E}\u{2066}\u{61C}\u{200F}\u{7F}"

  private func listings(_ folder: TestFolder) -> [[String]] {
    [
      ["list", "--all"], ["log"], ["alias"], ["tag"], ["stack", "list"], ["stack", "show", "both"],
      ["stack", "export", "both"], ["show", "sa"], ["show", "both"], ["gate", "both", "--max-forgetting", "1"],
      ["fsck"], ["gc"], ["status", folder["model"]], ["list", "sa", "--json"], ["tag", "--json"],
      ["stack", "show", "both", "--json"], ["report", "sa", "-o", folder["page.html"], "--force"],
      ["tag", "sa", "more"], ["alias", "other", "sa"], ["stack", "add", "both", "sa@0.5"], ["rm", "nothing"],
    ]
  }

  private func scene() throws -> TestFolder {
    let folder = try TestFolder()
    let model: [TestTensor] = ["a", "b"].map { .weights("\($0).weight", [4, 8]) }
    try folder.file("base", model)
    for (name, part) in [("sa", "a."), ("mlp", "b.")] {
      try folder.file("tuned", model.tuned(part))
      let run = try Command(
        "create", folder["base"], folder["tuned"], "-o", folder["\(name).vpatch"], "--name", name, "--note", "n")
      try #require(run.code == 0, "\(run.errors)")
    }
    try folder.file("model", model)
    for arguments in [
      ["tag", "sa", "fine"], ["stack", "new", "both", "--base", folder["base"], "sa", "mlp"],
      ["switch", folder["model"], "both"],
    ] {
      let run = try Command(Command.path, arguments, ["VPATCH_STORE": folder.store])
      try #require(run.code == 0, "\(run.errors)")
    }
    return folder
  }

  private func check(_ run: Command, _ what: String) {
    #expect([0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14].contains(run.code), "\(what): \(run.code) \(run.errors)")
    for scalar in (run.output + run.errors).unicodeScalars {
      let isHarmless = scalar == "\n" || scalar == "\t" || String(scalar).printable == String(scalar)
      #expect(isHarmless, "\(what): U+\(String(scalar.value, radix: 16))")
      if !isHarmless { return }
    }
  }

  /// Columns by table, in which no key lies.
  private static let texts = [
    "patches": ["name", "note", "recipe", "kind", "status"], "bases": ["layout"], "sightings": ["path"],
    "aliases": ["name"], "tags": ["name"], "stacks": ["name"], "stack_versions": ["definition"],
    "applications": ["model", "kind", "before", "after"],
  ]
  private static let numbers = [
    "patches": [
      "tensors", "tuned_bytes", "file_bytes", "learning_items", "forgetting_items", "added", "learning", "learning_low",
      "learning_high", "forgetting", "drift",
    ], "bases": ["tensors", "bytes", "seen"], "sightings": ["seen"], "stack_versions": ["version", "created"],
    "stack_members": ["scale"], "applications": ["started"],
  ]

  @Test func noColumnRewritesTheTerminal() throws {
    let clean = try scene()
    // A table at a time: one that is refused must not hide the others.
    for (table, columns) in Self.texts.sorted(by: { $0.key < $1.key }) {
      let folder = try TestFolder(copying: clean)
      for column in columns {
        try poison(folder, "UPDATE OR IGNORE \(table) SET \(column) = \(column) || ?", [Self.hostile])
      }
      try list(folder, table)
    }
  }

  @Test(arguments: [Int64.max, .min, -1, 1 << 53, 0]) func noNumberKills(number: Int64) throws {
    let folder = try scene()
    for (table, columns) in Self.numbers {
      for column in columns { try poison(folder, "UPDATE OR IGNORE \(table) SET \(column) = ?", [number]) }
    }
    try list(folder, "\(number)")
  }

  private func poison(_ folder: TestFolder, _ sql: String, _ values: StatementArguments) throws {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    let queue = try DatabaseQueue(path: "\(folder.store)/catalogue.sqlite", configuration: configuration)
    try queue.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
      try db.execute(sql: sql, arguments: values)
    }
    try queue.close()
  }

  private func list(_ folder: TestFolder, _ what: String) throws {
    for arguments in listings(folder) {
      check(try Command(Command.path, arguments, ["VPATCH_STORE": folder.store]), "\(what): \(arguments[0])")
    }
  }

  @Test func noPatchRewritesTheTerminal() throws {
    let folder = try scene()
    let measured = try EvalScene()
    let reported = try measured.eval(measured.base, "--patch", measured.saPatch, "--record", "-q")
    try #require(reported.code == 0, "\(reported.errors)")
    for path in [folder["sa.vpatch"], measured.saPatch] {
      let patch = try Patch(path: path)
      // All texts, and those alone that no rule bounds.
      for bounded in [false, true] {
        let notes = patch.annotations.poisoned(bounded)
        try patch.write(annotations: notes, to: folder["hostile.vpatch"], replacing: true)
        for arguments in [
          ["show", folder["hostile.vpatch"]], ["show", folder["hostile.vpatch"], "--json"],
          ["verify", folder["hostile.vpatch"]], ["add", folder["hostile.vpatch"]], ["list"], ["log"],
          ["gate", folder["hostile.vpatch"], "--max-forgetting", "1"], ["diff", path, folder["hostile.vpatch"]],
          ["report", folder["hostile.vpatch"], "-o", folder["page.html"], "--force"],
          ["apply", folder["base"], folder["hostile.vpatch"], "-o", folder["out"], "--force"],
          ["status", folder["out"]],
        ] {
          check(try Command(Command.path, arguments, ["VPATCH_STORE": folder["store"]]), "\(arguments[0]) \(bounded)")
        }
      }
    }
  }
}

extension JSON {
  /// With something hostile behind every text, or only behind those that are free.
  fileprivate func poisoned(_ all: Bool) -> JSON {
    switch self {
    case .string(let text): .string(text + HostileCatalogueTests.hostile)
    case .array(let list): .array(list.map { $0.poisoned(all) })
    case .object(let members):
      .object(
        members.map { member in
          let bounded = ["role", "unit", "status", "method", "reference", "measured", "probe_set", "sha256"]
          return JSON.Member(
            member.key, !all && bounded.contains(member.key) ? member.value : member.value.poisoned(all))
        })
    default: self
    }
  }
}
