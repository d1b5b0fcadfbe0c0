import Base
import Foundation
import PatchFormat
import TestModels
import Testing

/// LoRA adapters as PEFT 0.21.2 saved them (fixtures/adapters), from the command line.
@Suite("Commands with adapters") struct AdapterCommandTests {
  let folder: TestFolder
  private let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"
  private var base: String { "\(fixtures)/adapters/bases/qwen2" }

  init() throws { folder = try TestFolder() }

  private func adapter(_ name: String) -> String { "\(fixtures)/adapters/\(name)" }

  private func run(_ arguments: String...) throws -> Command { try Command(Command.path, arguments) }

  private func create(_ name: String, _ more: String...) throws -> Command {
    try Command(
      Command.path, ["create", base, adapter(name), "-o", folder["\(name).vpatch"], "--store", folder.store] + more)
  }

  @Test("create, show, apply, revert, export: what was said, and every byte") func story() throws {
    let created = try create("all-linear", "--keep-adapter", "--name", "all")
    #expect(created.code == 0, "\(created.errors)")
    #expect(created.output.contains("merged by vpatch, changes 7 tensors; kept whole"))
    #expect(created.errors.contains("is taken as declared, not proved"))
    let json = try JSON.parse(Array(run("show", folder["all-linear.vpatch"], "--json").output.utf8))
    #expect(json["flags"]?.array == [.string("low-rank")] && json["adapter"]?["whole"] == .bool(true))
    #expect(json["annotations"]?["made"]?["adapter"]?["merged"] == .string("vpatch"))
    #expect(try run("show", folder["all-linear.vpatch"]).output.contains("'vpatch export' writes it again"))

    #expect(try run("apply", base, folder["all-linear.vpatch"], "-o", folder["tuned"]).code == 0)
    #expect(try run("revert", folder["tuned"], folder["all-linear.vpatch"], "-o", folder["back"]).code == 0)
    #expect(try folder.bytes("back/model.safetensors") == folder.bytes("\(base)/model.safetensors"))
    let exported = try run("export", "all", "--peft", folder["out"], "--store", folder.store)
    #expect(exported.code == 0 && exported.output.contains("sha256"), "\(exported.errors)")
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
      #expect(try folder.bytes("out/\(name)") == folder.bytes("\(adapter("all-linear"))/\(name)"))
    }
    let again = try run("export", "all", "--peft", folder["out"], "--store", folder.store)
    #expect(again.code == 5 && again.errors.contains("out"), "\(again.errors)")

    // The model that vpatch merged, with the adapter: the same patch.
    let given = try run(
      "create", base, folder["tuned"], "--adapter", adapter("all-linear"), "--keep-adapter", "-o",
      folder["given.vpatch"], "--no-store")
    #expect(given.code == 0 && given.output.contains("given merged"), "\(given.errors)")
    let identities = try ["all-linear", "given"].map { try Patch(path: folder["\($0).vpatch"]).identity }
    #expect(identities[0] == identities[1])
  }

  @Test("any patch as an approximate adapter: what is said, and what the options need") func extracted() throws {
    _ = try create("all-linear")
    let patch = folder["all-linear.vpatch"]
    let run = try run("export", patch, "--base", base, "--peft", folder["near"], "--rank", "3", "--json")
    #expect(run.code == 0, "\(run.errors)")
    let json = try JSON.parse(Array(run.output.utf8))
    #expect(json["exact"] == .bool(false) && json["matrices"]?.array?.count == 7)
    let readme = String(decoding: try folder.bytes("near/README.md"), as: UTF8.self)
    #expect(readme.contains("It is not the fine-tune") && readme.contains("down_proj"))
    let text = try self.run("export", patch, "--base", base, "--peft", folder["half"], "--error", "0.5")
    #expect(text.code == 0 && text.output.contains("of the change; at most"), "\(text.errors)")
    #expect(text.errors.contains("is not exact"))
    for (more, words) in [
      (["--rank", "3"], "--rank and --error require --base"), (["--base", base], "--base belongs to"),
      (["--base", base, "--rank", "3", "--error", "0.1"], "not both"),
    ] {
      let run = try Command(Command.path, ["export", patch, "--peft", folder["x"]] + more)
      #expect(run.code == 64 && run.errors.contains(words), "\(run.errors)")
    }
  }

  @Test("what cannot be exported is refused, and the remedy works") func notKept() throws {
    _ = try create("modules-to-save")
    let patch = folder["modules-to-save.vpatch"]
    guard try Patch(path: patch).annex.adapter == nil else { return }
    let refused = try run("export", patch, "--peft", folder["out"])
    #expect(refused.code == 5 && refused.errors.contains("--keep-adapter"), "\(refused.errors)")
    #expect(!folder.exists("out"))
    #expect(try create("modules-to-save", "--keep-adapter", "--force").code == 0)
    #expect(try run("export", patch, "--peft", folder["out"]).code == 0)
  }

  @Test("add takes the folder; the adapter completes a stored patch, with its notes; signatures are named")
  func added() throws {
    // First the same patch without its adapter, annotated and signed.
    _ = try create("rslora", "--keep-adapter", "--no-store")
    #expect(try run("apply", base, folder["rslora.vpatch"], "-o", folder["tuned"]).code == 0)
    let plain = try run(
      "create", base, folder["tuned"], "-o", folder["plain.vpatch"], "--name", "mine", "--note", "keep this note",
      "--store", folder.store)
    #expect(plain.code == 0, "\(plain.errors)")
    let signed = try run("sign", "mine", "--key", "\(fixtures)/signing/key.pem", "--store", folder.store)
    #expect(signed.code == 0, "\(signed.errors)")
    let added = try run("add", adapter("rslora"), "--base", base, "--store", folder.store)
    #expect(added.code == 0 && added.output.contains("completed"), "\(added.output) \(added.errors)")
    #expect(added.errors.contains("dropped the signature"), "\(added.errors)")
    let json = try JSON.parse(Array(run("show", "mine", "--json", "--store", folder.store).output.utf8))
    #expect(json["annotations"]?["note"] == .string("keep this note") && json["adapter"]?["whole"] == .bool(true))
    #expect(json["signatures"]?.array?.isEmpty == true)
    #expect(try run("export", "mine", "--peft", folder["out"], "--store", folder.store).code == 0)
    // Again: known, under whatever name it lies.
    let copy = folder["elsewhere"]
    try FileManager.default.copyItem(atPath: adapter("rslora"), toPath: copy)
    let known = try run("add", copy, "--base", base, "--name", "mine", "--store", folder.store)
    #expect(known.code == 0 && known.output.contains("known"), "\(known.output) \(known.errors)")
    // Another adapter does not get the name.
    let other = try run("add", adapter("all-linear"), "--base", base, "--name", "mine", "--store", folder.store)
    #expect(other.code == 5 && other.errors.contains("is taken"), "\(other.errors)")
    #expect(try run("fsck", "--store", folder.store).code == 0)
  }

  @Test("adapters in a stack: one is taken out again, and the other's bits stay") func stack() throws {
    for name in ["all-linear", "rslora"] { #expect(try create(name, "--name", name).code == 0) }
    let store = ["--store", folder.store]
    func vpatch(_ arguments: String...) throws -> Command { try Command(Command.path, arguments + store) }
    #expect(try vpatch("stack", "new", "both", "--base", base, "all-linear", "rslora").code == 0)
    #expect(try vpatch("apply", base, "both", "-o", folder["both"]).code == 0)
    #expect(try vpatch("stack", "remove-member", "both", "rslora").code == 0)
    #expect(try vpatch("apply", base, "both", "-o", folder["one"]).code == 0)
    #expect(try vpatch("apply", base, "all-linear", "-o", folder["alone"]).code == 0)
    #expect(try folder.bytes("one/model.safetensors") == folder.bytes("alone/model.safetensors"))
    #expect(try folder.bytes("both/model.safetensors") != folder.bytes("alone/model.safetensors"))
    // In place, to the stack and back.
    try FileManager.default.copyItem(atPath: base, toPath: folder["live"])
    #expect(try vpatch("switch", folder["live"], "all-linear").code == 0)
    #expect(try folder.bytes("live/model.safetensors") == folder.bytes("alone/model.safetensors"))
    #expect(try vpatch("revert", folder["live"]).code == 0)
    #expect(try folder.bytes("live/model.safetensors") == folder.bytes("\(base)/model.safetensors"))
  }

  @Test("wrong ways to name an adapter") func wrong() throws {
    let two = try run(
      "create", base, adapter("plain"), "--adapter", adapter("rslora"), "-o", folder["x.vpatch"], "--no-store")
    #expect(two.code == 5 && two.errors.contains("is a second adapter"), "\(two.errors)")
    let other = try run("create", base, adapter("plain"), "-o", folder["x.vpatch"], "--no-store")
    #expect(
      other.code == 5 && other.errors.contains("give the base that the adapter was trained on"), "\(other.errors)")
    let none = try run("add", adapter("plain"), "--store", folder.store)
    #expect(none.code == 5 && none.errors.contains("--base MODEL"), "\(none.errors)")
    #expect(!folder.exists("x.vpatch"))
  }
}
