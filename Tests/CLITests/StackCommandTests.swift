import Base
import Foundation
import PatchFormat
import TestModels
import Testing

@Suite("vpatch stack, and apply with stacks") struct StackCommandTests {
  let story: StackStory
  var folder: TestFolder { story.folder }

  init() throws { story = try StackStory() }

  @Test("new, add, remove, show, versions: a life of a stack") func life() throws {
    let new = try story.done("stack", "new", "triage", "--base", story.base, "sa@0.8", "mlp")
    for line in ["stack       triage, version 1", "method      sum", "forgetting  unmeasured"] {
      #expect(new.contains(line + "\n"), "\(new)")
    }
    #expect(new.contains("12 tensors touched by one member") == false)
    #expect(new.contains("overlap     6 tensors touched by one member, 0 by several"), "\(new)")
    let first = try story.json("stack", "show", "triage")
    #expect(first["members"]?.array?.count == 2)
    #expect(Set(first["members"]?.array?.compactMap { $0["name"]?.string } ?? []) == ["sa", "mlp"])

    let added = try story.done("stack", "add", "triage", "both")
    #expect(added.contains("triage, version 2") && added.contains("4 tensors touched by one member, 2 by several"))
    #expect(added.contains("--base MODEL compares their changes"))
    let compared = try story.done("stack", "show", "triage", "--base", story.base)
    #expect(compared.contains(", cosine ") && compared.contains("sign conflicts"))
    // Other scales are another version; the same again is none.
    #expect(try story.json("stack", "add", "triage", "sa@0.5")["version"] == JSON(3))
    #expect(try story.json("stack", "add", "triage", "sa@0.5")["version"] == JSON(3))
    #expect(try story.json("stack", "remove", "triage", "both")["version"] == JSON(4))
    #expect(try story.json("stack", "add", "triage", "sa@0.8")["identity"] == first["identity"])
    #expect(try story.json("stack", "show", "triage", "--version", "2")["members"]?.array?.count == 3)
    #expect(try story.run("stack", "show", "triage", "--version", "9").says("has no version 9; its last one is 5"))
    #expect(
      try story.json("stack", "add", "triage", "--method", "ties", "--density", "0.4")["method"]?.string
        == "ties density=0.4 lambda=1")
    #expect(try story.json("stack", "add", "triage", "--lambda", "2")["method"]?.string == "ties density=0.4 lambda=2")

    let list = try story.done("stack", "list")
    #expect(list.contains("triage") && list.contains("sa@0.8") && list.contains("ties density=0.4 lambda=2"))
    #expect(try story.json("stack", "list").array?.count == 1)
    #expect(try story.done("stack", "delete", "triage") == "deleted the stack triage\n")
    #expect(try story.done("stack", "list") == "no stacks: vpatch stack new NAME --base MODEL PATCH…\n")
    #expect(try story.run("stack", "show", "triage").says("triage: is not a stack in the store", "vpatch stack list"))
  }

  struct Refusal: Sendable {
    let arguments: [String]
    let code: Int32
    let words: [String]

    init(_ arguments: String, _ code: Int32, _ words: String...) {
      self.arguments = arguments.split(separator: " ").map(String.init)
      self.code = code
      self.words = words
    }
  }

  static let refusals = [
    Refusal("triage sa clock", 1, "clock: does not exist, and is not an alias", "vpatch list"),
    Refusal("triage sa mpl", 1, "did you mean mlp?"),
    Refusal("triage sa sa@0.5", 5, "sa: is given twice", "a patch is applied once"),
    Refusal("triage sa@inf", 5, "sa: has the scale \"inf\", which is not a finite number"),
    Refusal("triage sa@nan mlp", 5, "has the scale \"nan\", which is not a finite number"),
    Refusal("triage sa@1e999", 5, "not a finite number"),
    Refusal("7 sa", 5, "\"7\" cannot be a stack"), Refusal("a@b sa", 5, "cannot be a stack"),
    Refusal("triage sa --method slerp", 5, "interpolates between two patches, not 1"),
    Refusal("triage sa --density 0.4", 5, "the merge method sum: has no density; leave it out"),
    Refusal("triage sa --method ties --density 0", 5, "has an invalid density 0.0"),
    Refusal("triage sa@-1 mlp --method linear", 5, "divides by the sum of the scales, which is 0"),
    Refusal("triage sa --toward-base 2", 5, "has an invalid toward-base 2.0"),
  ]

  @Test("what cannot be is refused, in a sentence", arguments: refusals) func refused(_ refusal: Refusal) throws {
    let run = try story.run(["stack", "new"] + refusal.arguments + ["--base", story.base])
    #expect(run.code == refusal.code, "\(run.errors)")
    for word in refusal.words {
      #expect(run.says(word), "\(run.errors)")
    }
    #expect(try story.json("stack", "list").array?.isEmpty == true)
  }

  @Test("patches of different bases, and a base that is another") func bases() throws {
    try folder.file("more.safetensors", story.model.tuned(TestModel.attention, seed: 2).tuned("norm"))
    try story.done(
      "create", folder["sa.safetensors"], folder["more.safetensors"], "-o", folder["more.vpatch"], "--name", "more")
    for arguments in [
      ["stack", "new", "x", "sa", "more", "--base", story.base],
      ["apply", story.base, "sa@0.5", "more", "-o", folder["out"]],
    ] {
      let run = try story.run(arguments)
      #expect(run.code == 5)
      #expect(run.says("more", "base"), "\(run.errors)")
    }
    let other = try story.run("stack", "new", "x", "sa", "--base", folder["sa.safetensors"])
    #expect(other.says("base"), "\(other.errors)")
    try story.done("stack", "new", "x", "sa", "--base", story.base)
    let added = try story.run("stack", "add", "x", "more")
    #expect(added.says("more", "base"), "\(added.errors)")
    let root = try Patch(path: folder["sa.vpatch"]).header.baseRoot.hex
    #expect(try story.json("stack", "new", "by-root", "sa", "--base", root)["base"]?.string == root)
  }

  @Test("the base is hashed: a provenance may be of another model that was at its place") func staleProvenance() throws
  {
    let live = folder["live.safetensors"]
    try story.done("apply", story.base, "sa", "-o", live)
    try story.done("revert", live)
    try story.done("stack", "new", "before", "sa", "--base", live)
    try FileManager.default.removeItem(atPath: live)
    try FileManager.default.copyItem(atPath: folder["sa.safetensors"], toPath: live)
    let run = try story.run("stack", "new", "after", "sa", "--base", live)
    #expect(run.code == 5 && run.says("sa", "was made from another base"), "\(run.errors)")
  }

  @Test("replacements that contradict each other") func replacements() throws {
    for (name, rows) in [("wide", 4), ("wider", 6)] {
      let path = try folder.file("\(name).safetensors", story.model + [.weights("extra.weight", [rows, 4])])
      try story.done("create", story.base, path, "-o", folder["\(name).vpatch"], "--name", name)
    }
    let both = try story.run("stack", "new", "x", "wide", "wider", "--base", story.base)
    #expect(both.code == 5)
    #expect(
      both.says("conflicts with", "\"extra.weight\"", "leave one of the two patches out"), "\(both.errors)")
    let scaled = try story.run("stack", "new", "x", "wide@0.5", "sa", "--base", story.base)
    #expect(scaled.says("cannot be scaled by 0.5", "give it the scale 1"), "\(scaled.errors)")
    #expect(try story.run("stack", "new", "x", "wide", "sa", "--base", story.base).code == 0)
  }

  @Test("the command line itself") func usage() throws {
    try story.done("stack", "new", "empty", "--base", story.base, "sa")
    let again = try story.run("stack", "new", "empty", "--base", story.base, "mlp")
    #expect(again.code == 5 && again.says("the stack \"empty\": already exists", "'vpatch stack add'"))
    try story.done("stack", "remove", "empty", "sa")
    #expect(try story.done("stack", "show", "empty").contains("no members: vpatch stack add empty PATCH"))
    let apply = try story.run("apply", story.base, "--stack", "empty", "-o", folder["out"])
    #expect(apply.code == 5 && apply.says("the stack \"empty\": has no members"), "\(apply.errors)")
    let remove = try story.run("stack", "remove", "empty", "sa")
    #expect(remove.code == 5 && remove.says("does not have sa", "vpatch stack show empty"))
    #expect(try story.run("stack", "add", "empyt", "sa").says("is not a stack in the store", "did you mean empty?"))
    #expect(
      try story.run("apply", story.base, "--stack", "empyt", "-o", folder["out"]).says("empyt", "did you mean empty?"))
    #expect(try story.run("apply", story.base, "sa", "--stack", "empty", "-o", folder["out"]).code == 64)
    #expect(try story.run("apply", story.base, "--stack", "empty", "--method", "ties", "-o", folder["out"]).code == 64)
    #expect(try story.run("apply", story.base, "-o", folder["out"]).code == 64)
    #expect(try story.run("stack", "delete", "none").code == 1)
  }

  // MARK: Files

  @Test("export, import, diff: a stack as a text file") func files() throws {
    try story.done("stack", "new", "triage", "--base", story.base, "sa@0.8", "mlp", "--method", "linear")
    let file = folder["triage.stack"]
    let text = try story.done("stack", "export", "triage")
    #expect(try story.done("stack", "export", "triage", "-o", file) == "wrote \(file)\n")
    #expect(try folder.text("triage.stack") == text && text.contains("   # sa\n") && text.contains("method  linear\n"))
    #expect(try story.run("stack", "export", "triage", "-o", file).says("already exists"))
    #expect(try story.run("stack", "export", "triage", "-o", file, "--force").code == 0)
    #expect(try story.done("stack", "diff", "triage", file) == "identical\n")
    #expect(
      try story.json("stack", "import", file, "--name", "copy")["identity"]
        == story.json("stack", "show", "triage")["identity"])
    try story.done("stack", "add", "copy", "both@2", "sa@0.5", "--method", "sum")
    try story.done("stack", "remove", "copy", "mlp")
    let diff = try story.done("stack", "diff", "triage", "copy")
    for line in ["method  linear → sum", "-       mlp@1", "+       both@2", "scale   sa: 0.8 → 0.5"] {
      #expect(diff.contains(line + "\n"), "\(diff)")
    }
    #expect(try story.json("stack", "diff", "triage", "copy")["changes"]?.array?.count == 4)
    // By names instead of identities, typed by a person, without a name of its own.
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("patch") && !$0.hasPrefix("name") }
    let typed = try folder.write(
      "typed.stack", lines.joined(separator: "\n") + "\npatch sa@0.8\npatch \(folder["mlp.vpatch"])\n")
    #expect(try story.run("stack", "import", typed).says("does not name the stack", "--name"))
    #expect(try story.done("stack", "diff", "triage", typed) == "identical\n")
    try story.done("apply", story.base, "--stack", typed, "-o", folder["a"])
    try story.done("apply", story.base, "--stack", "triage", "-o", folder["b"])
    #expect(try folder.bytes("a") == folder.bytes("b"))
    try folder.write("bad.stack", "vpatch-stack 1\nbase    xyz\npatch sa\n")
    #expect(
      try story.run("stack", "import", folder["bad.stack"], "--name", "x").says("bad.stack", "has the base \"xyz\""))
    try folder.write("typo.stack", text + "patch\n")
    let typo = try story.run("apply", story.base, "--stack", folder["typo.stack"], "-o", folder["c"])
    #expect(typo.code == 2 && typo.says("has no value for \"patch\" in line 7"), "\(typo.errors)")
  }

  @Test("a stack of files outside of the store takes them in") func outside() throws {
    let store = ["--store", folder["elsewhere"]]
    let new = ["stack", "new", "x", "--base", story.base, folder["sa.vpatch"], folder["mlp.vpatch"] + "@0.5"]
    #expect(try story.run(new + store).code == 0)
    try FileManager.default.removeItem(atPath: folder["mlp.vpatch"])
    #expect(try story.run(["apply", story.base, "--stack", "x", "-o", folder["out"]] + store).code == 0)
    // A file called like a member with its scale is that file.
    try folder.write("sa@2", folder.bytes("sa.vpatch"))
    let file = try story.json("stack", "new", "y", "--base", story.base, folder["sa@2"], "mlp")
    #expect(file["members"]?.array?.allSatisfy { $0["scale"]?.double == 1 } == true)
  }

  // MARK: Apply

  @Test("the same bytes whatever the order, and however it is said") func orders() throws {
    try story.done("stack", "new", "triage", "--base", story.base, "both", "mlp@0.5", "sa@0.8")
    try story.done("apply", story.base, "--stack", "triage", "-o", folder["stack"])
    let ways = [["sa@0.8", "mlp@0.5", "both"], ["both@1", "sa@0.8", "mlp@.5"]]
    for (i, members) in ways.enumerated() {
      #expect(try story.run(["apply", story.base] + members + ["-o", folder["\(i)"]]).code == 0)
      #expect(try folder.bytes("\(i)") == folder.bytes("stack"))
    }
    // It is made once, and is in the store: no other member is read then.
    #expect(try story.json("list", "--all")["patches"]?.array?.count { $0["kind"]?.string == "composite" } == 1)
    let provenance = try JSON.parse(folder.bytes("stack.vpatch.json"))
    #expect(provenance["patches"]?.array?.first?["stack"]?["name"]?.string == "triage")
    #expect(provenance["patches"]?.array?.first?["stack"]?["members"]?.array?.count == 3)
  }

  @Test(
    "methods",
    arguments: [
      ["--method", "ties", "--density", "0.4"], ["--method", "dare", "--seed", "7"],
      ["--method", "dare-ties", "--lambda", "0.5"],
      ["--method", "slerp"], ["--method", "linear"], ["--toward-base", "0.5"],
    ]) func methods(options: [String]) throws
  {
    let members = ["sa@0.7", "both@0.3"]
    let run = try story.run(["apply", story.base] + members + ["-o", folder["out"]] + options)
    #expect(run.code == 0, "\(run.errors)")
    #expect(try folder.bytes("out") != folder.bytes("base.safetensors"))
    #expect(try story.run(["stack", "new", "x", "--base", story.base] + members.reversed() + options).code == 0)
    try story.done("apply", story.base, "--stack", "x", "-o", folder["again"])
    #expect(try folder.bytes("again") == folder.bytes("out"))
    try story.done("revert", folder["again"])
    #expect(try folder.bytes("again") == folder.bytes("base.safetensors"))
  }

  @Test("one patch at scale 1 is that patch; at scale 0 it is nothing") func one() throws {
    try story.done("stack", "new", "alone", "--base", story.base, "sa")
    try story.done("apply", story.base, "--stack", "alone", "-o", folder["out"])
    #expect(try folder.bytes("out") == folder.bytes("sa.safetensors"))
    #expect(try story.json("list", "--all")["patches"]?.array?.count == 3)
    let nothing = try story.run("apply", story.base, "sa@0", "-o", folder["zero"])
    #expect(
      nothing.code == 5
        && nothing.says("the stack: changes nothing", "give it a member with a scale other than 0"))
  }

  @Test("--undo: the way back in a file, and nothing in the store") func undo() throws {
    let undo = folder["undo.vpatch"]
    try story.done("apply", story.base, "sa@0.5", "both", "-o", folder["out"], "--undo", undo)
    #expect(try story.json("list", "--all")["patches"]?.array?.count == 3)
    // The same undo does again; another is not written over it.
    try story.done("apply", story.base, "sa@0.5", "both", "-o", folder["o1"], "--undo", undo)
    let existing = try story.run("apply", story.base, "sa@0.25", "both", "-o", folder["o2"], "--undo", undo)
    #expect(existing.code == 5 && existing.says("undo.vpatch", "already exists"), "\(existing.errors)")
    #expect(!folder.exists("o2"))
    // Where there is no store at all.
    let none = ["--store", folder["none"]]
    #expect(try story.run(["revert", folder["out"], undo, "-o", folder["back"]] + none).code == 0)
    #expect(try folder.bytes("back") == folder.bytes("base.safetensors"))
    #expect(!folder.exists("none"))
    let lost = try story.run(["revert", folder["out"]] + none)
    #expect(lost.code == 1 && lost.says("needs the undo of its stack", "--base BASE"), "\(lost.errors)")
    try story.done("revert", folder["out"], undo)
    #expect(try folder.bytes("out") == folder.bytes("base.safetensors"))
    let chain = try story.run("apply", story.base, "sa", "-o", folder["o3"], "--undo", folder["u3"])
    #expect(chain.code == 5 && chain.says("a chain needs no undo"))
  }

  // MARK: Gate

  @Test("gate: unmeasured, then predicted from the members, then measured") func gate() throws {
    try story.done("stack", "new", "triage", "--base", story.base, "sa", "mlp")
    let gate = ["gate", "triage", "--max-forgetting", "50"]
    #expect(try story.run(gate).code == 12)
    let results = "\(MeasureCommandTests.fixtures)/results/lm-eval"
    let measure = [
      "--results", "\(results)/tuned/results_2026-11-22T11-00-00.123456.json", "--base-results",
      "\(results)/base/results_2026-11-22T10-00-00.123456.json", "--target", "counting", "--model",
    ]
    for name in ["sa", "mlp"] {
      #expect(try story.run(["annotate", name] + measure + [folder["\(name).safetensors"]]).code == 0)
    }
    let predicted = try story.run(gate)
    #expect(predicted.code == 14 && predicted.output.contains("predicted"), "\(predicted.output)\(predicted.errors)")
    #expect(try story.done("stack", "show", "triage").contains("forgetting  predicted"))
    // Of the very bits that the stack makes.
    try story.done("apply", story.base, "--stack", "triage", "-o", folder["out"])
    let composite = try #require(try story.json("stack", "show", "triage")["composite"]?.string)
    #expect(try story.run(["annotate", composite] + measure + [folder["out"]]).code == 0)
    let measured = try story.run(gate)
    #expect([0, 10, 11].contains(measured.code), "\(measured.output)")
    #expect(try story.run("gate", "triag", "--max-forgetting", "1").says("triag", "did you mean triage?"))
  }
}
