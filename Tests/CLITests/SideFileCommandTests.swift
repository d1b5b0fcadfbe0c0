import Base
import Foundation
import TestModels
import Testing

@Suite("What lies beside a model, as commands treat it") struct SideFileCommandTests {
  let folder: TestFolder
  let model = TestModel.llama(layers: 1)
  var tuned: [TestTensor] { model.tuned(TestModel.attention) }
  let files = ["config.json": "{}\n", "tokenizer.json": "{\"a\": 1}\n", "README.md": "base\n"]

  init() throws {
    folder = try TestFolder()
    try folder.directory("base", model, files: files)
    try folder.directory("tuned", tuned, files: ["config.json": "{\"x\": 2}\n", "new.txt": "n"])
  }

  private func run(_ arguments: String...) throws -> Command { try run(arguments) }
  private func run(_ arguments: [String]) throws -> Command {
    try Command(Command.path, arguments, ["VPATCH_STORE": folder.store])
  }
  private func create(_ more: String...) throws -> Command {
    try run(["create", folder["base"], folder["tuned"], "-o", folder["p.vpatch"], "--name", "p", "--force"] + more)
  }
  private func json(_ arguments: String...) throws -> JSON {
    let run = try run(arguments + ["--json"])
    #expect(run.code == 0, "\(run.errors)")
    return try JSON.parse(Array(run.output.utf8))
  }
  private func copy(_ name: String = "m") throws -> String {
    try FileManager.default.copyItem(atPath: folder["base"], toPath: folder[name])
    return folder[name]
  }
  private func link(_ path: String, to target: String) throws { try #require(symlink(target, folder[path]) == 0) }

  private func names(_ json: JSON, _ key: String) -> [String]? { json[key]?.array?.compactMap(\.string) }
  private func summary(_ json: JSON) -> [[String]?] {
    ["changed", "added", "removed"].map { names(json, "side_files_\($0)") }
  }

  // MARK: What the tuned folder lacks

  @Test("what the tuned folder lacks stays") func lacking() throws {
    let run = try create()
    #expect(run.output.contains("\nfiles     changed: config.json; added: new.txt\n"))
    #expect(
      run.says(
        "the tuned folder lacks README.md, tokenizer.json: applying keeps the base's", "--remove-missing-files"))
    let made = try json("create", folder["base"], folder["tuned"], "-o", folder["q.vpatch"], "--no-store")
    #expect(names(made, "side_files_missing") == ["README.md", "tokenizer.json"])
    #expect(names(made, "side_files") == ["config.json", "new.txt"])
    #expect(summary(made) == [["config.json"], ["new.txt"], []])
    let m = try copy()
    #expect(try self.run("switch", m, "p").output.contains("\n  side files  changed: config.json; added: new.txt\n"))
    #expect(try folder.text("m/tokenizer.json") == files["tokenizer.json"])
    #expect(try summary(json("revert", m)) == [["config.json"], [], ["new.txt"]])
    #expect(try folder.tree("m").filter { $0.key != "vpatch.json" } == folder.tree("base"))
  }

  @Test("with --remove-missing-files a patch removes, and each command says so") func removing() throws {
    let removed = "removed: README.md, tokenizer.json"
    let run = try create("--remove-missing-files")
    #expect(run.output.contains("\nfiles     changed: config.json; added: new.txt; \(removed)\n") && run.errors.isEmpty)
    let lists = [["config.json"], ["new.txt"], ["README.md", "tokenizer.json"]]
    #expect(
      try self.run("show", "p").output.contains("\nfiles      changed: config.json; added: new.txt; \(removed)\n"))
    #expect(try summary(json("show", folder["p.vpatch"])) == lists)
    let m = try copy()
    #expect(try self.run("apply", m, "p", "-o", folder["out"]).output.contains("; \(removed)\n"))
    #expect(try summary(json("apply", m, "p", "-o", folder["out2"])) == lists)
    #expect(try self.run("switch", m, "p").output.contains("; \(removed)\n"))
    #expect(
      try self.run("revert", m).output.contains(
        "  side files  changed: config.json; added: README.md, tokenizer.json; removed: new.txt\n"))
    #expect(try summary(json("switch", m, "p")) == lists)
    for name in ["m", "out", "out2"] {
      #expect(try folder.tree(name).filter { $0.key != "vpatch.json" } == folder.tree("tuned"), "\(name)")
    }
    // A stack of it does the same.
    let n = try copy("n")
    #expect(try summary(json("switch", n, "p@0.5")) == lists)
    let files = try self.run(
      "create", folder["base/model.safetensors"], folder["tuned"], "-o", folder["x"], "--remove-missing-files")
    #expect(files.code == 5 && files.says("model.safetensors: is a single file", "leave out --remove-missing-files"))
  }

  @Test("a model is not switched by a file whose way back the store does not have") func otherFiles() throws {
    #expect(try create("--no-store").code == 0)
    #expect(
      try run(
        "create", folder["base"], folder["tuned"], "-o", folder["r.vpatch"], "--remove-missing-files", "--name", "r"
      ).code == 0)
    let m = try copy()
    let refused = try run("switch", m, folder["p.vpatch"])
    #expect(refused.code == 5)
    #expect(
      refused.says("p.vpatch: has other side files than the same patch in the store", "--store DIR"),
      "\(refused.errors)")
    #expect(try folder.tree("m") == folder.tree("base"))
    // What it advises.
    let other = ["--store", "\(folder.store)/other"]
    for (given, more, tokenizer) in [(folder["p.vpatch"], other, true), ("r", [], false)] {
      #expect(try run(["switch", m, given] + more).code == 0)
      #expect(folder.exists("m/tokenizer.json") == tokenizer)
      #expect(try run(["revert", m] + more).code == 0)
      #expect(try folder.tree("m").filter { $0.key != "vpatch.json" } == folder.tree("base"))
    }
  }

  @Test("an undo made from the base leaves what is the user's") func undo() throws {
    #expect(try create("--remove-missing-files").code == 0)
    let m = try copy()
    #expect(try run("switch", m, "p@0.5").code == 0)
    try folder.write("m/notes.txt", "mine")
    try folder.write("m/config.json", "{\"mine\": true}")
    // The stack's undo is lost, its member is there.
    let kept = try #require(json("status", m)["patches"]?.array?.first?["identity"]?.string)
    try FileManager.default.removeItem(atPath: "\(folder.store)/patches/\(kept.prefix(2))/\(kept).vpatch")
    let reverted = try run("revert", m, "--base", folder["base"])
    #expect(reverted.code == 0, "\(reverted.errors)")
    #expect(
      reverted.errors.contains("config.json is not the base's")
        && reverted.errors.contains("notes.txt is not the base's"))
    let expected = try folder.tree("base").merging([
      "config.json": Array("{\"mine\": true}".utf8), "notes.txt": Array("mine".utf8),
    ]) { $1 }
    #expect(try folder.tree("m").filter { $0.key != "vpatch.json" } == expected)
  }

  // MARK: What cannot be looked at

  @Test("a side file of which create cannot be sure", arguments: ["base", "tuned"], ["nowhere", "pipe", "itself"])
  func unsure(side: String, kind: String) throws {
    try? FileManager.default.removeItem(atPath: folder["\(side)/tokenizer.json"])
    let path = folder["\(side)/tokenizer.json"]
    if side == "base" { try folder.write("tuned/tokenizer.json", "{}") }
    switch kind {
    case "nowhere": try link("\(side)/tokenizer.json", to: "/nonexistent/blobs/0123")
    case "pipe": try #require(mkfifo(path, 0o600) == 0)
    default: try link("\(side)/tokenizer.json", to: "tokenizer.json")
    }
    let run = try create()
    #expect(run.code == (kind == "itself" ? 1 : 5))
    #expect(
      run.says("\(side)/tokenizer.json: ", kind == "itself" ? "cannot be examined" : "remove that name"),
      "\(run.errors)")
    #expect(!folder.exists("p.vpatch"))
    try FileManager.default.removeItem(atPath: path)
    #expect(try create().code == 0)
  }

  @Test("a name that is not UTF-8: an error where the folder is listed, and nowhere else") func names() throws {
    #expect(try create().code == 0)
    let m = try copy()
    for place in [folder.path, m, folder["tuned"]] {
      let descriptor = open(
        Array("\(place)/caf".utf8CString.dropLast()) + [CChar(bitPattern: 0xE9), 0], O_CREAT | O_WRONLY, 0o600)
      try #require(descriptor >= 0)
      close(descriptor)
    }
    for arguments in [
      ["create", folder["base"], folder["tuned"], "-o", folder["x.vpatch"]], ["apply", m, "p", "-o", folder["out"]],
    ] {
      let run = try run(arguments)
      #expect(
        run.code == 2 && run.says("holds a file whose name is not UTF-8: \"caf", "rename that file"), "\(run.errors)")
    }
    #expect(!folder.exists("out") && !folder.exists("x.vpatch"))
    for arguments in [
      ["switch", m, "p"], ["status", m], ["diff", folder["base"], m], ["recover", m], ["revert", m],
      ["verify", "p", "--base", m],
    ] { #expect(try run(arguments).code == 0, "\(arguments)") }
    // Files, in a folder with such a name.
    let base = try folder.file("b.safetensors", model)
    let tuned = try folder.file("t.safetensors", self.tuned)
    for arguments in [
      ["create", base, tuned, "-o", folder["f.vpatch"]],
      ["apply", base, folder["f.vpatch"], "-o", folder["o.safetensors"]],
      ["switch", base, folder["f.vpatch"]], ["status", base], ["revert", base, "--by-rename"],
    ] { #expect(try run(arguments).code == 0, "\(arguments)") }
  }

  // MARK: Links

  @Test("links out of a model's folder are not followed unasked") func outside() throws {
    try folder.write("id_rsa", "secret")
    try folder.write("config-elsewhere", files["config.json"]!)
    try link("tuned/notes.txt", to: "../id_rsa")
    let refused = try create()
    #expect(refused.code == 5)
    #expect(
      refused.says("tuned/notes.txt: is a link that leads out of the model's folder", "--allow-outside"),
      "\(refused.errors)")
    #expect(try create("--allow-outside").code == 0)
    #expect(try names(json("show", "p"), "side_files_added") == ["new.txt", "notes.txt"])
    // The model's config is somebody else's, with the very contents that the patch was made from.
    let m = try copy()
    try FileManager.default.removeItem(atPath: folder["m/config.json"])
    try link("m/config.json", to: folder["config-elsewhere"])
    let copied = try run("apply", m, "p", "-o", folder["out"])
    #expect(copied.code == 5)
    #expect(
      copied.says("m/config.json: is a link that leads out of the model's folder", "--allow-outside"),
      "\(copied.errors)")
    #expect(!folder.exists("out"))
    #expect(try run("apply", m, "p", "-o", folder["out"], "--allow-outside").code == 0)
    #expect(try folder.text("out/config.json") == files["config.json"])
    let switched = try run("switch", m, "p")
    #expect(switched.errors.contains("config.json differs from the file that the patch was made with"))
    #expect(try PathKind.of(folder["m/config.json"], followingLinks: false) == .symbolicLink)
    #expect(try folder.text("config-elsewhere") == files["config.json"])
    let back = try run("revert", m, "-o", folder["back"])
    #expect(back.code == 5 && back.says("m/config.json", "--allow-outside"))
    #expect(try run("revert", m, "-o", folder["back"], "--allow-outside").code == 0)
    // Shards may lie anywhere.
    try FileManager.default.moveItem(atPath: folder["base/model.safetensors"], toPath: folder["far.safetensors"])
    try link("base/model.safetensors", to: folder["far.safetensors"])
    #expect(try create("--allow-outside").code == 0)
    #expect(try run("apply", folder["base"], "p", "-o", folder["out2"]).code == 0)
  }

  @Test("a hub's snapshot: its own blobs are inside, and nothing else is", arguments: [true, false])
  func hub(isOwn: Bool) throws {
    let cache = "hub/models--a--b"
    for (name, bytes) in try folder.tree("tuned") {
      try folder.write("\(cache)/blobs/\(name)", bytes)
      try FileManager.default.createDirectory(
        atPath: folder["\(cache)/snapshots/0123"], withIntermediateDirectories: true)
      try link("\(cache)/snapshots/0123/\(name)", to: "../../blobs/\(name)")
    }
    if !isOwn {
      try folder.write("id_rsa", "secret")
      try FileManager.default.removeItem(atPath: folder["\(cache)/blobs/new.txt"])
      try link("\(cache)/blobs/new.txt", to: "../../../id_rsa")
    }
    let snapshot = folder["\(cache)/snapshots/0123"]
    let run = try run("create", folder["base"], snapshot, "-o", folder["p.vpatch"])
    #expect(
      run.code == (isOwn ? 0 : 5) && (isOwn || run.says("new.txt: is a link that leads out", "--allow-outside")),
      "\(run.errors)")
    guard isOwn else { return }
    #expect(try self.run("revert", snapshot, folder["p.vpatch"], "-o", folder["out"]).code == 0)
    #expect(try folder.tree("out")["config.json"] == folder.bytes("base/config.json"))
  }
}
