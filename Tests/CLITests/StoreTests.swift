import Base
import Foundation
import Glibc
import PatchFormat
import TestModels
import Testing

@Suite("vpatch add, list, log, alias, tag, rm") struct StoreTests {
  let story: Story
  var folder: TestFolder { story.folder }

  // Its patches are in the store: create put them there, under the names of their targets.
  init() throws { story = try Story() }

  private func json(_ arguments: String...) throws -> JSON {
    let run = try Command(Command.path, arguments + ["--json", "--store", folder.store])
    #expect(run.code == 0, "\(run.errors)")
    return try JSON.parse(Array(run.output.utf8))
  }

  private func run(_ arguments: String...) throws -> Command {
    try Command(Command.path, arguments, ["VPATCH_STORE": folder.store])
  }

  private func names(_ list: JSON) -> [String?]? { list["patches"]?.array?.map { $0["aliases"]?.array?.first?.string } }

  @Test("create puts it there under its name; --no-store does not") func create() throws {
    #expect(names(try json("list")) == ["other.safetensors", "both.safetensors", "sa.safetensors"])
    try folder.file("fourth.safetensors", story.model.tuned("norm"))
    let create = [
      "create", story.base, folder["fourth.safetensors"], "-o", folder["p.vpatch"], "--force", "--name", "fourth",
    ]
    let without = try Command(Command.path, create + ["--no-store", "--store", folder["never"]])
    #expect(without.code == 0 && !without.output.contains("\nstored"))
    #expect(!folder.exists("never"))
    #expect(try json("list")["patches"]?.array?.count == 3)
    let with = try Command(Command.path, create)
    #expect(with.code == 0 && with.output.hasSuffix("stored    as fourth\n") && with.errors.isEmpty)
    #expect(try json("list")["patches"]?.array?.count == 4)
    let paths = try json("log")["bases"]?.array?.first?["paths"]?.array?.map(\.string)
    #expect(paths?.contains(realpath(story.base)) == true)
  }

  private func realpath(_ path: String) -> String? {
    Glibc.realpath(path, nil).map { pointer in
      defer { free(pointer) }
      return String(cString: pointer)
    }
  }

  @Test("a --name that another patch has is taken from it with --force alone") func movesAlias() throws {
    let old = try Patch(path: story.saPatch).identity
    try folder.file("new.safetensors", story.model.tuned(TestModel.attention, seed: 8))
    let create = [
      "create", story.base, folder["new.safetensors"], "-o", folder["new.vpatch"], "--name", "sa.safetensors",
    ]
    let refused = try Command(Command.path, create)
    #expect(refused.code == 5 && refused.says("the name sa.safetensors is taken", old.short, "--force"))
    #expect(!folder.exists("new.vpatch"))
    let add = ["add", story.otherPatch, "--name", "sa.safetensors"]
    #expect(try Command(Command.path, add).says("the name sa.safetensors is taken", "--force"))
    #expect(try Command("add", story.saPatch, "--name", "sa.safetensors").code == 0)
    let run = try Command(Command.path, create + ["--force"])
    let new = try Patch(path: folder["new.vpatch"]).identity
    #expect(run.code == 0)
    #expect(run.says("the alias sa.safetensors moved from \(old.short) to \(new.short)"))
  }

  @Test("a store that cannot be used is found before anything is written") func createRefused() throws {
    let file = try folder.write("file", "mine")
    let run = try Command("create", story.base, story.sa, "-o", folder["x.vpatch"], "--store", file)
    #expect(run.code == 5 && run.says("is a file, not a store"))
    #expect(!folder.exists("x.vpatch"))
  }

  @Test("wherever a patch is taken: alias, tag, the beginning of an identity") func byName() throws {
    let identity = try Patch(path: story.saPatch).identity
    #expect(try run("tag", "sa.safetensors", "good").code == 0)
    for name in ["sa.safetensors", "good", String(identity.hex.prefix(10)), identity.hex] {
      let show = try run("show", name, "--json")
      #expect(try JSON.parse(Array(show.output.utf8))["identity"]?.string == identity.hex)
    }
    #expect(try run("apply", story.base, "good", "-o", story.out).code == 0)
    #expect(try folder.bytes("out.safetensors") == folder.bytes("sa.safetensors"))
    #expect(try run("revert", story.out, "good", "-o", folder["back.safetensors"]).code == 0)
    #expect(try folder.bytes("back.safetensors") == folder.bytes("base.safetensors"))
    #expect(try run("verify", "good", "--base", story.base).code == 0)
    #expect(try run("diff", "good", "other.safetensors", "--base", story.base).code == 0)
  }

  @Test("a file of that name wins, a folder of that name does not") func fileWins() throws {
    #expect(try run("alias", "skill", "sa.safetensors").code == 0)
    func show() throws -> Command {
      try Command(
        "/bin/sh", ["-c", "cd \"$1\" && exec \"$0\" show skill --json", Command.path, folder.path])
    }
    let identity = try Patch(path: story.saPatch).identity
    #expect(try show().output.contains(identity.hex))
    try FileManager.default.createDirectory(atPath: folder["skill"], withIntermediateDirectories: false)
    #expect(try show().output.contains(identity.hex))
    try FileManager.default.removeItem(atPath: folder["skill"])
    try folder.write("skill", folder.bytes("other.vpatch"))
    #expect(try show().output.contains(try Patch(path: story.otherPatch).identity.hex))
    // Neither a folder nor a file that is no patch has to do with patches.
    try folder.write("skill", "no patch")
    #expect(try show().output.contains(identity.hex))
  }

  @Test("unknown names: near misses; no store: says so") func unknown() throws {
    let run = try run("show", "sa.safetensor")
    #expect(run.code == 1)
    #expect(run.says("sa.safetensor: does not exist, and is not an alias", "did you mean sa.safetensors?"))
    let none = try Command("show", "counting", "--store", folder["none"])
    #expect(none.code == 1)
    #expect(none.says("does not exist, and there is no store at \(folder["none"])", "vpatch add"))
    for command in [["list"], ["log"], ["fsck"], ["gc"], ["alias"], ["rm", "x"]] {
      let run = try Command(Command.path, command + ["--store", folder["none"]])
      #expect(run.code == 1 && run.says("is not a store: does not exist"), "\(command)")
    }
    #expect(!folder.exists("none"))
  }

  @Test("add: what became of each, and of a folder, and of what is no patch") func add() throws {
    let store = ["--store", folder["second"]]
    let one = try Command(Command.path, ["add", story.saPatch] + store)
    let identity = try Patch(path: story.saPatch).identity
    #expect(one.code == 0 && one.output == "added      \(identity.short)  sa.safetensors\n")
    let more = try Command(Command.path, ["add", story.saPatch, story.otherPatch, "--tag", "x"] + store)
    #expect(more.output.contains("known      \(identity.short)") && more.output.contains("2 files: 1 added, 1 known, "))
    #expect(try Command(Command.path, ["list", "--tag", "x"] + store).output.contains("other.safetensors"))
    let directory = try Command(Command.path, ["add", folder.path] + store)
    #expect(
      directory.code == 2 && directory.says("is a directory, not a patch", "give its files: \(folder.path)/*.vpatch")
    )
    let missing = try Command(Command.path, ["add", story.mlpPatch, folder["missing"]] + store)
    #expect(missing.code == 1 && missing.says("missing: does not exist; nothing was added"))
    let model = try Command(Command.path, ["add", story.mlpPatch, story.base] + store)
    #expect(model.code == 2 && model.says("is a safetensors file, not a patch"))
    #expect(model.output.contains("added"))
    #expect(try Command(Command.path, ["add", story.mlpPatch, "--name", "a@1"] + store).says("cannot be an alias"))
    #expect(try Command(Command.path, ["add", story.mlpPatch, story.saPatch, "--name", "a"] + store).code == 64)
  }

  @Test("list: filters, and what no patch has takes no column") func list() throws {
    #expect(names(try json("list", "--recipe", "sa-proj")) == ["sa.safetensors"])
    #expect(names(try json("list", "OTH")) == ["other.safetensors", "both.safetensors"])
    #expect(names(try json("list", "--base", "sa.safetensors")) == ["both.safetensors"])
    let root = try Patch(path: story.saPatch).header.baseRoot
    // A base is known by the places where it was seen.
    #expect(try run("create", story.base, story.sa, "-o", folder["again.vpatch"]).code == 0)
    for base in [String(root.hex.prefix(8)), story.base] {
      #expect(names(try json("list", "--base", base)) == ["other.safetensors", "sa.safetensors"])
    }
    #expect(names(try json("list", "--measured")) == [])
    #expect(try run("list", "--max-drift", "0.1").output == "no patches\n")
    let text = try run("list").output
    #expect(text.hasPrefix("name"))
    #expect(!text.contains("tags") && !text.contains("drift") && text.contains("unmeasured"))
    let limited = try run("list", "--limit", "2")
    #expect(limited.output.split(separator: "\n").count == 4)
    #expect(limited.says("note: the newest 2 of 3; --limit 0 lists all"))
    #expect(try run("list", "--measured", "--unmeasured").code == 64)
    #expect(try run("list", "--base", "sa.safetensor").says("did you mean sa.safetensors?"))
  }

  @Test("log: a chain below its base, a sibling beside") func log() throws {
    let graph = try run("log").output.split(separator: "\n").map { $0.split(separator: "  ")[0] }
    #expect(
      graph[1...] == ["├─● sa.safetensors", "│ ● both.safetensors", "└─● other.safetensors"]
        && graph[0].hasPrefix("○ "))
    let around = try run("log", "both.safetensors").output
    #expect(around.contains("sa.safetensors") && !around.contains("other"))
    let root = try Patch(path: story.saPatch).header.baseRoot
    #expect(try run("log", String(root.hex.prefix(8))).output.split(separator: "\n").count == 4)
    #expect(try run("log", "both.safetensor").says("did you mean"))
  }

  @Test("alias and tag: given, listed, taken away") func names() throws {
    let identity = try Patch(path: story.saPatch).identity
    #expect(try run("alias", "counting", story.saPatch).output == "counting is \(identity.short)\n")
    #expect(try run("alias", "counting", "other.safetensors").output.contains("and was \(identity.short)"))
    #expect(try json("alias")["counting"]?.string == (try Patch(path: story.otherPatch).identity.hex))
    #expect(try run("alias", "--delete", "counting").code == 0)
    #expect(try run("alias", "--delete", "counting").says("counting: is not an alias in the store"))
    #expect(try run("alias", "1x", "sa.safetensors").says("\"1x\" cannot be an alias"))
    #expect(try run("alias", "x").code == 64)
    #expect(try run("tag", "sa.safetensors", "a", "b").output == "\(identity.short)  a b\n")
    #expect(try run("tag", "other.safetensors", "a").code == 0)
    #expect(try json("tag")["a"]?.int == 2)
    #expect(try run("show", "a").says("a: ", "is a tag of several patches", identity.short, "(sa.safetensors)"))
    #expect(try run("tag", "--delete", "sa.safetensors", "a").output == "\(identity.short)  b\n")
    #expect(try run("tag", "sa.safetensors").code == 64)
  }

  @Test("rm: the patch and its file; refused where it has other names") func remove() throws {
    #expect(try run("tag", "sa.safetensors", "good").code == 0)
    let refused = try run("rm", "sa.safetensors")
    #expect(refused.code == 5 && refused.says("has the tag good; --force removes it anyway"))
    let done = try run("rm", "sa.safetensors", "other.safetensors", "--force")
    #expect(done.code == 0 && done.output.hasPrefix("deleted 2 patches, "))
    #expect(names(try json("list")) == ["both.safetensors"])
    #expect(folder.exists("sa.vpatch"))
    #expect(try run("fsck").output.contains("1 patch, "))
  }
}
