import Base
import Foundation
import TestModels
import Testing

/// Commands at the same time on one store, or one patch; `make attack` does much more of it.
@Suite("Races of commands") struct StoreRaceTests {
  private static let keys = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "fixtures/signing").path

  let story: StackStory
  var folder: TestFolder { story.folder }

  init() throws { story = try StackStory() }

  /// Starts them all, and waits for all.
  private func together(_ commands: [[String]]) throws -> [(code: Int32, errors: String)] {
    let runs = try commands.map { try Command.start(Command.path, $0 + ["-q"], ["VPATCH_STORE": folder.store]) }
    return runs.map { run in
      let errors = String(decoding: run.errors.readDataToEndOfFile(), as: UTF8.self)
      _ = run.output.readDataToEndOfFile()
      run.process.waitUntilExit()
      return (run.process.terminationStatus, errors)
    }
  }

  private func run(_ arguments: String...) throws -> Command {
    try Command(Command.path, arguments, ["VPATCH_STORE": folder.store])
  }

  private func stacks() throws -> [JSON] {
    try JSON.parse(Array(run("stack", "list", "--json").output.utf8)).array ?? []
  }

  @Test("stack add and remove of several at once: nobody's member is lost") func members() throws {
    #expect(try run("stack", "new", "s", "--base", story.base, "sa@0.5").code == 0)
    let runs = try together([
      ["stack", "add", "s", "mlp@0.25"], ["stack", "add", "s", "both@0.5"], ["stack", "add", "s", "sa@0.75"],
    ])
    #expect(runs.allSatisfy { $0.code == 0 }, "\(runs)")
    #expect(try stacks().first?["members"]?.array?.count == 3)
    #expect(try stacks().first?["version"]?.int == 4)
  }

  @Test("stack new of one name at once: one makes it, the others are told") func names() throws {
    let runs = try together(["sa", "mlp", "both", "sa@0.5"].map { ["stack", "new", "s", "--base", story.base, $0] })
    #expect(runs.map(\.code).sorted() == [0, 5, 5, 5], "\(runs)")
    #expect(runs.allSatisfy { $0.code == 0 || $0.errors.contains("already exists") })
    #expect(try stacks().count == 1)
  }

  @Test("sign at once, in the store and outside: both signatures are there", arguments: [true, false])
  func signatures(isStored: Bool) throws {
    let patch = isStored ? "sa" : folder["sa.vpatch"]
    let runs = try together(["key", "other-key"].map { ["sign", patch, "--key", "\(Self.keys)/\($0).pem"] })
    #expect(runs.allSatisfy { $0.code == 0 }, "\(runs)")
    let shown = try JSON.parse(Array(run("show", patch, "--json").output.utf8))
    #expect(shown["annotations"]?["signatures"]?.array?.count == 2)
    #expect(try run("fsck").code == 0)
    #expect(try folder.names().allSatisfy { !$0.contains(".vpatch-") })
  }

  @Test("switch to what has no name while gc runs: the model can always go back") func undo() throws {
    let base = try folder.bytes(story.base)
    for scale in ["0.5", "0.75", "0.25"] {
      let models = try ["m1", "m2"].map { try folder.write("\($0)-\(scale).safetensors", base) }
      let gc = Array(repeating: ["gc", "--yes"], count: 3)
      let runs = try together(models.map { ["switch", $0, "sa@\(scale)"] } + gc)
      #expect(runs.allSatisfy { $0.code == 0 }, "\(runs)")
      let back = try together(models.map { ["revert", $0] } + gc)
      #expect(back.allSatisfy { $0.code == 0 }, "\(back)")
      for model in models { #expect(try folder.bytes(model) == base) }
    }
    #expect(try run("fsck").code == 0)
    #expect(try run("gc", "--yes").code == 0)
  }

  @Test("a disk that takes nothing: what only reads says the same as before; what changes says why not") func noRoom()
    throws
  {
    #expect(try run("stack", "new", "s", "--base", story.base, "sa@0.5", "mlp").code == 0)
    // Below the folder that the faults are for.
    let store = folder["st"]
    try FileManager.default.copyItem(atPath: folder.store, toPath: store)
    let reading = [
      ["list", "--json"], ["show", "sa"], ["show", "s"], ["log"], ["stack", "list"], ["stack", "show", "s"], ["alias"],
      ["tag"],
      ["verify", "sa"], ["stack", "export", "s"], ["list", "--json", "--base", story.base], ["diff", "sa", "mlp"],
    ]
    for command in reading {
      let arguments = command + ["--store", store]
      let whole = try Command(Command.path, arguments)
      let run = try FaultRun.run(in: folder, arguments, .eioOn, at: 1)
      #expect(run.code == 0 && run.output == whole.output, "\(command): \(run.errors)")
    }
    for command in [["alias", "x", "sa"], ["tag", "sa", "x"], ["stack", "add", "s", "both"], ["rm", "both"]] {
      let run = try FaultRun.run(in: folder, command + ["--store", store], .eioOn, at: 1)
      #expect(run.code == 1 && run.errors.split(separator: "\n").count == 1, "\(command): \(run.errors)")
    }
    #expect(try Command("fsck", "--store", store).code == 0)
    #expect(try Command("alias", "--store", store).output.split(separator: "\n").count == 5)
  }
}
