import Base
import Foundation
import Glibc
import PatchFormat
import TestModels
import Testing

@Suite("vpatch fsck, gc, and stores that are not as they should be") struct StoreCareTests {
  let story: Story
  var folder: TestFolder { story.folder }

  init() throws { story = try Story() }

  private func run(_ arguments: String...) throws -> Command {
    try Command(Command.path, arguments, ["VPATCH_STORE": folder.store])
  }

  private func stored(_ patch: String) throws -> String {
    let hex = try Patch(path: patch).identity.hex
    return "\(folder.store)/patches/\(hex.prefix(2))/\(hex).vpatch"
  }

  @Test("fsck: sound, damaged, missing, mended") func fsck() throws {
    let sound = try run("fsck")
    #expect(sound.code == 0 && sound.output.contains("3 patches, ") && sound.output.contains("all is well"))
    try FileManager.default.removeItem(atPath: stored(story.saPatch))
    var bytes = try folder.bytes(stored(story.otherPatch))
    bytes[bytes.count / 2] ^= 4
    try Data(bytes).write(to: URL(filePath: stored(story.otherPatch)))
    let found = try run("fsck")
    #expect(found.code == 2 && found.says("has 2 problems", "vpatch add"))
    #expect(found.output.contains("missing    ") && found.output.contains("damaged    "))
    let apply = try run("apply", story.base, "sa.safetensors", "-o", story.out)
    #expect(
      apply.code == 1 && apply.says("patch sa.safetensors: lacks its file", "add the file again with vpatch add"))
    let show = try run("show", "other.safetensors")
    #expect(show.code == 2 && show.says("is damaged in", "add the file again"))
    let add = try run("add", story.saPatch, story.otherPatch)
    #expect(add.code == 0 && add.output.contains("2 restored"))
    #expect(try run("fsck").code == 0)
  }

  @Test("fsck --repair: a catalogue that was lost, rows that are old, what was left") func repair() throws {
    try FileManager.default.removeItem(atPath: folder.store + "/catalogue.sqlite")
    let lost = try run("list")
    #expect(lost.code == 1 && lost.says("has no catalogue.sqlite", "vpatch fsck --repair creates one"))
    let repair = try run("fsck", "--repair")
    #expect(repair.code == 0 && repair.output.split(separator: "\n").count { $0.hasPrefix("repaired") } == 3)
    #expect(try run("fsck").output.contains("3 patches"))
    #expect(try run("show", "sa.safetensors").code == 0)
  }

  @Test("gc: shows first, deletes with --yes, spares what was added") func gc() throws {
    #expect(try run("gc").output == "nothing to delete\n")
    let file = try stored(story.saPatch)
    let left = Path.join(Path.parent(file), TemporaryFiles.name(for: Path.name(file)))
    try Data("half".utf8).write(to: URL(filePath: left))
    let shown = try run("gc")
    #expect(shown.output == "temporary  \(left)\n4 B to free: --yes deletes it\n")
    #expect(try PathKind.of(left) == .file)
    #expect(try run("gc", "--yes").output == "temporary  \(left)\n4 B freed\n")
    #expect(try PathKind.of(left) == .missing && PathKind.of(file) == .file)
    #expect(try run("gc", "--forget", folder["model"]).says("is not a model in the store's records"))
  }

  @Test("damaged, foreign and later catalogues: exit codes") func hostile() throws {
    let catalogue = folder.store + "/catalogue.sqlite"
    let whole = try folder.bytes(catalogue)
    func list(_ change: (inout [UInt8]) -> Void) throws -> Command {
      var bytes = whole
      change(&bytes)
      try Data(bytes).write(to: URL(filePath: catalogue))
      return try run("list")
    }
    let later = try list { $0[63] = 9 }
    #expect(later.code == 5 && later.says("was written by a later version of vpatch (schema 9"))
    let foreign = try list { $0[68] = 0 }
    #expect(foreign.code == 2 && foreign.says("is an SQLite database of another program"))
    let text = try list { $0 = Array("hello".utf8) }
    #expect(text.code == 2 && text.says("is cut short"))
    let cut = try list { $0.removeLast($0.count / 2) }
    #expect(cut.code == 2 && cut.says("damaged catalogue"))
    #expect(try list { _ in }.code == 0)
  }

  @Test("no permission to write") func permission() throws {
    guard geteuid() != 0 else {
      // Root may write anywhere but on a file system that is no disk.
      let run = try Command("add", story.saPatch, "--store", "/proc/vpatch-store")
      #expect(run.code == 1 && run.says("/proc/vpatch-store: cannot be created"))
      return
    }
    try FileManager.default.createDirectory(atPath: folder["locked"], withIntermediateDirectories: false)
    chmod(folder["locked"], 0o555)
    let run = try Command("add", story.saPatch, "--store", folder["locked/store"])
    #expect(run.code == 1 && run.says("cannot be created: Permission denied; check the permissions"))
  }

  @Test("several processes at once: nothing is lost, nothing is there twice") func several() throws {
    let store = folder["many"]
    var files: [String] = []
    for i in 1...6 {
      try folder.file("t.safetensors", story.model.tuned(TestModel.attention, seed: UInt64(20 + i)))
      files.append(folder["t\(i).vpatch"])
      #expect(try Command("create", story.base, folder["t.safetensors"], "-o", files[i - 1], "--no-store").code == 0)
    }
    // The first makes the store while the others want to; gc and fsck look on.
    let commands = [
      ["add"] + files[0..<4], ["add"] + files[2..<6], ["add"] + files.reversed(), ["gc", "--yes"], ["fsck"],
      ["add"] + files[1..<5],
    ]
    let runs = try commands.map { try Command.start(Command.path, $0 + ["--store", store]) }
    for (i, run) in runs.enumerated() {
      let errors = String(decoding: run.errors.readDataToEndOfFile(), as: UTF8.self)
      _ = run.output.readDataToEndOfFile()
      run.process.waitUntilExit()
      // gc and fsck may come before there is a store.
      let isEarly =
        (i == 3 || i == 4) && (errors.contains("is not a store") || errors.contains("has no catalogue.sqlite"))
      #expect(run.process.terminationStatus == 0 || isEarly, "\(errors)")
    }
    let list = try JSON.parse(Array(Command("list", "--json", "--store", store).output.utf8))
    #expect(list["patches"]?.array?.count == 6)
    #expect(try Command("fsck", "--store", store).code == 0)
    #expect(try Command("gc", "--store", store).output == "nothing to delete\n")
  }

  @Test("killed in the middle of adding: what is there is sound, and adding again completes it") func killed() throws {
    let store = folder["killed"]
    var files: [String] = []
    for i in 1...8 {
      try folder.file("t.safetensors", story.model.tuned(TestModel.attention, seed: UInt64(40 + i)))
      files.append(folder["t\(i).vpatch"])
      #expect(try Command("create", story.base, folder["t.safetensors"], "-o", files[i - 1], "--no-store").code == 0)
    }
    let calls = try FaultRun.log(in: folder, ["add"] + files + ["--store", folder["whole"]]).count
    for part in 1...9 {
      try? FileManager.default.removeItem(atPath: store)
      let run = try FaultRun.run(in: folder, ["add"] + files + ["--store", store], .killBefore, at: calls * part / 10)
      #expect(run.code == SIGKILL)
      guard try PathKind.of(store + "/catalogue.sqlite") == .file else { continue }
      let fsck = try JSON.parse(Array(Command("fsck", "--json", "--store", store).output.utf8))
      let kinds = Set(fsck["findings"]?.array?.compactMap { $0["kind"]?.string } ?? [])
      #expect(kinds.isSubset(of: ["unknown", "temporary"]))
    }
    #expect(try Command(Command.path, ["add"] + files + ["--store", store]).code == 0)
    #expect(try Command("gc", "--yes", "--store", store).code == 0)
    #expect(try Command("fsck", "--store", store).code == 0)
    let list = try JSON.parse(Array(Command("list", "--json", "--store", store).output.utf8))
    #expect(list["patches"]?.array?.count == 8)
  }
}
