import Base
import TestModels
import Testing

/// What the commands say of a result that its bits do not: infinities, files that members do not agree about.
@Suite("What is said of a stack") struct FindingsTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func half(_ values: [Float16]) -> TestTensor { TestTensor("w", "F16", [values.count], values) }

  private func run(_ arguments: [String]) throws -> Command {
    try Command(Command.path, arguments, ["VPATCH_STORE": folder.store])
  }

  @discardableResult
  private func done(_ arguments: String...) throws -> Command {
    let run = try run(arguments)
    #expect(run.code == 0, "\(arguments): \(run.errors)")
    return run
  }

  private func json(_ arguments: String...) throws -> JSON {
    let run = try run(arguments + ["--json"])
    #expect(run.code == 0, "\(arguments): \(run.errors)")
    return try JSON.parse(Array(run.output.utf8))
  }

  /// Two patches whose sum leaves float16.
  private func overflow() throws {
    try folder.file("base.safetensors", [half([60000, 1, 5])])
    try folder.file("one.safetensors", [half([64992, 2, 5])])
    try folder.file("two.safetensors", [half([64000, 1, 6])])
    for name in ["one", "two"] {
      try done(
        "create", folder["base.safetensors"], folder["\(name).safetensors"], "-o", folder["\(name).vpatch"], "--name",
        name)
    }
  }

  private let said = "1 element of \"w\" is infinite or NaN, although all inputs are finite"
  private let counted = JSON.array([.dictionary(["tensor": .string("w"), "count": JSON(1)])])

  @Test("an infinity of finite numbers: apply, switch, stack, rebase") func notFinite() throws {
    try overflow()
    let base = folder["base.safetensors"]
    let run = try done("apply", base, folder["one.vpatch"], folder["two.vpatch"], "-o", folder["a"])
    #expect(run.errors.contains("note: \(said)\n"), "\(run.errors)")
    #expect(try folder.testTensors("a")["w"] == half([.infinity, 2, 6]))
    // Again: its composite is in the store now.
    #expect(try json("apply", base, folder["one.vpatch"], "two", "-o", folder["b"])["not_finite"] == counted)
    let small = try json("apply", base, folder["one.vpatch"], "two@0.1", "-o", folder["c"])
    #expect(small["not_finite"] == .array([]) && small["side_files_disputed"] == .array([]))

    let new = try done("stack", "new", "both", "--base", base, "one", "two")
    #expect(!new.output.contains("refused") && new.output.contains("not finite  \(said)"), "\(new.output)")
    #expect(try done("stack", "new", "other", "--base", base, "one@1.5", "two").output.contains("not finite") == false)
    #expect(try json("stack", "show", "other")["not_finite"] == .null)
    #expect(try json("stack", "show", "other", "--base", base)["not_finite"] == counted)
    #expect(try json("stack", "show", "both")["refused"] == .null)
    try done("apply", base, "--stack", "both", "-o", folder["model"], "--quiet")
    let back = try done("revert", folder["model"])
    #expect(back.errors.isEmpty, "\(back.errors)")
    #expect(try done("switch", folder["model"], "both").errors.contains("note: \(said)\n"))
    try done("revert", folder["model"], "--quiet")
    #expect(try json("switch", folder["model"], "both")["not_finite"] == counted)

    let moved = try done("rebase", "one", "--base", base, "--onto", folder["two.safetensors"], "-o", folder["m.vpatch"])
    #expect(moved.errors.contains("note: \(said)\n"), "\(moved.errors)")
    let told = try json(
      "rebase", "one", "--base", base, "--onto", folder["two.safetensors"], "-o", folder["m2.vpatch"], "--no-store")
    #expect(told["not_finite"] == counted)
  }

  @Test("members that do not agree about a file: said by name, and the way to one of them works")
  func sideFiles() throws {
    let weights = TestTensor.weights("w", [8])
    try folder.directory("base", [weights], files: ["config.json": "{}", "same.txt": "0"])
    for (name, seed) in [("one", 1), ("two", 2)] as [(String, UInt64)] {
      try folder.directory(
        name, [weights.tuned(seed: seed)], files: ["config.json": "{\"x\": \(seed)}", "same.txt": "1"])
      try done("create", folder["base"], folder[name], "-o", folder["\(name).vpatch"], "--name", name)
    }
    let (one, two) = (folder["one.vpatch"], folder["two.vpatch"])
    let run = try done("apply", folder["base"], one, two, "-o", folder["both"])
    let note = try #require(run.errors.split(separator: "\n").first { $0.contains("config.json") })
    #expect(note.hasPrefix("note: ") && note.contains("one.vpatch") && note.contains("two.vpatch"))
    #expect(note.contains("disagree about config.json, which stays unchanged; for that of the first, copy it"))
    #expect(try folder.text("both/config.json") == "{}" && folder.text("both/same.txt") == "1")
    // What it advises.
    let first = note.contains("BASE \(one) -o") ? "one" : "two"
    try done("apply", folder["base"], folder["\(first).vpatch"], "-o", folder["advised"])
    #expect(try folder.text("advised/config.json") == folder.text("\(first)/config.json"))
    let disputed = try json("apply", folder["base"], one, two, "-o", folder["again"])["side_files_disputed"]?.array
    #expect(disputed?.count == 1 && disputed?[0]["name"]?.string == "config.json")
    #expect(Set(disputed?[0]["patches"]?.array?.compactMap(\.string) ?? []) == [one, two])

    // Who takes no part has none in this either.
    let alone = try done("apply", folder["base"], one, "\(two)@0", "--method", "sum", "-o", folder["alone"])
    #expect(alone.errors.isEmpty, "\(alone.errors)")
    #expect(try folder.text("alone/config.json") == "{\"x\": 1}")
    try done("stack", "new", "both", "--base", folder["base"], "one", "two", "--quiet")
    #expect(try done("switch", folder["both"], folder["two.vpatch"], "--quiet").errors.isEmpty)
    #expect(try done("switch", folder["both"], "both").errors.contains("disagree about config.json"))
  }

  @Test("one patch at scale 1 has no undo of its own, and says so") func undo() throws {
    try overflow()
    let arguments = ["apply", folder["base.safetensors"], folder["one.vpatch"], "-o", folder["out"]]
    let refused = try run(arguments + ["--method", "sum", "--undo", folder["undo"]])
    #expect(refused.code == 5 && refused.says("needs no undo: the patch reverts it; leave out --undo"))
    #expect(!folder.exists("undo") && !folder.exists("out"))
    #expect(try run(arguments + ["--method", "sum"]).code == 0)
    try done("revert", folder["out"], folder["one.vpatch"])
    #expect(try folder.bytes("out") == folder.bytes("base.safetensors"))
  }

  @Test("codes and scales of two patches: refused by apply, stack and rebase, whatever the store has kept")
  func quantised() throws {
    let q = "q_proj.weight"
    func model(_ code: UInt8, _ scale: Float) -> [TestTensor] {
      [TestTensor(q, "F8_E4M3", [4], bytes: [0x30, 0x31, 0x32, code]), .f32(q + "_scale_inv", [1], [scale])]
    }
    let models = [("base", model(0x33, 1)), ("one", model(0x34, 1)), ("two", model(0x33, 2)), ("new", model(0x35, 1))]
    for (name, tensors) in models { try folder.file("\(name).safetensors", tensors) }
    let base = folder["base.safetensors"]
    for name in ["one", "two"] {
      try done("create", base, folder["\(name).safetensors"], "-o", folder["\(name).vpatch"], "--name", name)
    }
    let both = ["apply", base, folder["one.vpatch"], folder["two.vpatch"], "-o", folder["out"]]
    for arguments in [
      both, both + ["--undo", folder["undo"]], both + ["--method", "ties"],
      ["apply", base, "one@0.5", "-o", folder["out"]],
      ["stack", "new", "s", "--base", base, "one", "two"],
      ["rebase", "one", "--base", base, "--onto", folder["new.safetensors"], "-o", folder["out"]],
    ] {
      let run = try run(arguments)
      #expect(run.code == 5 && run.says("the quantised weight \"\(q)\""), "\(arguments): \(run.errors)")
    }
    #expect(!folder.exists("out") && !folder.exists("undo"))
    // One patch is that patch, in a stack as beside one; and it is switched to and back.
    try done("stack", "new", "s", "--base", base, "one", "--quiet")
    try done("apply", base, "--stack", "s", "-o", folder["model"])
    #expect(try folder.bytes("model") == folder.bytes("one.safetensors"))
    try done("switch", folder["model"], folder["two.vpatch"])
    #expect(try folder.bytes("model") == folder.bytes("two.safetensors"))
    try done("revert", folder["model"])
    #expect(try folder.bytes("model") == folder.bytes("base.safetensors"))
  }
}
