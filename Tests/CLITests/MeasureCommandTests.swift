import Base
import Foundation
import PatchFormat
import TestModels
import Testing

@Suite("vpatch annotate, gate, sign") struct MeasureCommandTests {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "fixtures").path

  let story: Story
  var folder: TestFolder { story.folder }

  init() throws { story = try Story() }

  private func key(_ name: String) -> String { "\(Self.fixtures)/signing/\(name).pem" }

  /// `annotate` with the results of the fixtures.
  private func annotate(_ patch: String, samples: Bool = false, _ more: String...) throws -> Command {
    let (base, tuned) = ("\(Self.fixtures)/results/lm-eval/base", "\(Self.fixtures)/results/lm-eval/tuned")
    return try Command(
      Command.path,
      [
        "annotate", patch, "--results", "\(tuned)/results_2026-11-22T11-00-00.123456.json", "--base-results",
        "\(base)/results_2026-11-22T10-00-00.123456.json", "--target", "counting",
      ] + (samples ? ["--samples", tuned, "--base-samples", base] : []) + more)
  }

  @Test("measured: all of it, from the results to the gate") func measured() throws {
    let before = try Patch(path: story.saPatch)
    let run = try annotate(story.saPatch, samples: true, "--model", story.sa, "--base-model", story.base)
    #expect(run.code == 0, "\(run.errors)")
    #expect(run.errors.isEmpty)
    #expect(run.output.contains("learning   +38.3 ± 14.1 pp (n 60)\nforgetting 1.5 ± 4.3 pp (n 240)\nwrote      "))
    let patch = try Patch(path: story.saPatch)
    #expect(patch.identity == before.identity && patch.header == before.header)
    let records = patch.annotations["forgetting"]?.array ?? []
    #expect(records.map { $0["task"]?.string } == ["counting", "arc_easy", "gsm8k"])
    #expect(records.allSatisfy { $0["measured"]?.string == patch.header.targetRoot.hex })
    #expect(records.allSatisfy { $0["reference"]?.string == patch.header.baseRoot.hex })

    let show = try Command("show", story.saPatch).output
    #expect(show.contains("learning   +38.3 ± 14.1 pp (n 60)\nforgetting 1.5 ± 4.3 pp (n 240)\n"))
    #expect(
      show.contains(
        "arc_easy  held-out  acc_norm     200   61.0%  60.5%    -0.5    -3.1 … +2.1       3/2    1.000  measured"))
    let json = try JSON.parse(Array(try Command("show", story.saPatch, "--json").output.utf8))
    #expect(json["forgetting"]?["status"] == .string("measured"))
    #expect(json["forgetting"]?["forgetting"]?["n"] == JSON(240))
    #expect(json["forgetting"]?["records"]?.array?.count == 3)

    for (arguments, code, words) in [
      (["--max-forgetting", "10"], 0, "passed: forgetting 1.5 ± 4.3 pp (n 240), at most 10"),
      (
        ["--max-forgetting", "2"], 11,
        "undecided: forgetting 1.5 ± 4.3 pp (n 240), at most 2 required; about 16,673 items"
      ),
      (["--max-forgetting", "10", "--min-learning", "20"], 0, "; learning +38.3 ± 14.1 pp (n 60), at least 20"),
      (["--max-forgetting", "10", "--min-learning", "60"], 10, "exceeded: learning +38.3"),
      (["--max-forgetting", "10", "--probe", "arc_easy=1"], 11, "undecided: arc_easy 0.5 ± 2.6"),
      (["--max-forgetting", "10", "--probe", "arc=1"], 12, "unmeasured: arc has no record"),
    ] {
      let run = try Command(Command.path, ["gate", story.saPatch] + arguments)
      #expect(run.code == code && run.errors.isEmpty)
      #expect(run.output.contains(words), "\(run.output)")
      let quiet = try Command(Command.path, ["gate", story.saPatch, "--json"] + arguments)
      let json = try JSON.parse(Array(quiet.output.utf8))
      #expect(quiet.code == code && json["exit_code"] == JSON(code) && json["passed"] == .bool(code == 0))
    }
  }

  @Test("reported: shown as such, and never passes") func reported() throws {
    #expect(try Command("gate", story.saPatch, "--max-forgetting", "99").code == 12)
    let run = try annotate(story.saPatch)
    #expect(run.code == 0 && run.says("no model was hashed", "--model MODEL hashes one"))
    #expect(run.output.contains("forgetting reported 1.5 ± 8.8 pp (n 240)"))
    #expect(try Command("show", story.saPatch).output.contains("forgetting reported 1.5 ± 8.8 pp (n 240)"))
    let gate = try Command("gate", story.saPatch, "--max-forgetting", "99")
    #expect(gate.code == 13 && gate.output.contains("reported: forgetting is reported, not measured"))
    // Measured later, the records take the place of the reported ones; and it is said when they lose it again.
    #expect(try annotate(story.saPatch, "--model", story.sa).code == 0)
    #expect(try Command("gate", story.saPatch, "--max-forgetting", "99").code == 0)
    #expect(try Patch(path: story.saPatch).annotations["forgetting"]?.array?.count == 3)
    let probe = try annotate(story.saPatch, "--model", story.sa, "--probe", "gsm8k")
    #expect(probe.code == 0 && probe.says("gsm8k was held-out and is now probe"))
    #expect(try annotate(story.saPatch).errors.contains("3 measured records replaced by records that are only"))
  }

  @Test("a copy, and a copy that exists") func copy() throws {
    let before = try folder.bytes(story.saPatch)
    #expect(try annotate(story.saPatch, "-o", folder["copy.vpatch"]).code == 0)
    #expect(try folder.bytes(story.saPatch) == before)
    let again = try annotate(story.saPatch, "-o", folder["copy.vpatch"])
    #expect(again.code == 5 && again.says("copy.vpatch", "already exists"))
    #expect(try annotate(story.saPatch, "-o", folder["copy.vpatch"], "--force").code == 0)
    #expect(try story.leftNothing("copy.vpatch"))
    #expect(symlink(story.saPatch, folder["link.vpatch"]) == 0)
    #expect(try annotate(folder["link.vpatch"]).says("link.vpatch", "is a symbolic link"))
  }

  @Test("the wrong model is refused, and nothing is written") func wrongModel() throws {
    let before = try folder.bytes(story.saPatch)
    for (arguments, words) in [
      (
        ["--model", story.base],
        "is the patch's base, not the model that sa.vpatch makes; are the two models swapped?"
      ),
      (["--model", story.other], "is not the model that sa.vpatch makes: its root is "),
      (["--model", story.sa, "--base-model", story.sa], "is what the patch makes, not the base of sa.vpatch"),
      (["--model", story.sa, "--base-model", story.both], "is not the base of sa.vpatch: its root is "),
    ] {
      let run = try Command(
        Command.path,
        [
          "annotate", story.saPatch, "--results", "\(Self.fixtures)/results/own/tuned.json", "--base-results",
          "\(Self.fixtures)/results/own/base.json",
        ] + arguments)
      #expect(run.code == 3 && run.says(words), "\(run.errors)")
    }
    #expect(try folder.bytes(story.saPatch) == before)
  }

  @Test("records of another model do not count") func foreign() throws {
    #expect(try annotate(story.saPatch, "--model", story.sa).code == 0)
    // As a patch that was moved to another base still has them.
    let annotations = try Patch(path: story.saPatch).annotations
    try Patch(path: story.mlpPatch).write(annotations: annotations, to: story.mlpPatch, replacing: true)
    let show = try Command("show", story.mlpPatch).output
    #expect(show.contains("forgetting unmeasured\nrecords    3 records of other models, not counted\n"))
    #expect(show.contains("other model"))
    #expect(try Command("gate", story.mlpPatch, "--max-forgetting", "99").code == 12)
  }

  @Test("malformed records: said by show, refused by gate and annotate, dropped on demand") func malformed() throws {
    let patch = try Patch(path: story.saPatch)
    try patch.write(
      annotations: patch.annotations.setting("forgetting", to: .array([.dictionary(["task": .string("a\u{1B}[2J")])])),
      to: story.saPatch, replacing: true)
    let show = try Command("show", story.saPatch)
    #expect(show.code == 0)
    #expect(
      show.output.contains("forgetting invalid: has a forgetting record, number 1, that has no \"metric\""))
    #expect(try Command("show", story.saPatch, "--json").output.contains("\"status\": \"invalid\""))
    let gate = try Command("gate", story.saPatch, "--max-forgetting", "1")
    #expect(gate.code == 2 && gate.says("number 1", "write new ones with 'vpatch annotate --replace-all'"))
    #expect(try annotate(story.saPatch).code == 2)
    #expect(try annotate(story.saPatch, "--replace-all").code == 0)
    #expect(try Command("gate", story.saPatch, "--max-forgetting", "1").code == 13)
  }

  @Test("signed, verified, and void after a change") func signed() throws {
    let run = try Command("sign", story.saPatch, "--key", key("key"))
    #expect(run.code == 0)
    #expect(run.output.hasPrefix("signed by  d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n"))
    let verify = try Command("verify", story.saPatch, "--signer", key("pub"))
    #expect(verify.code == 0 && verify.output.contains("ok  signed  identity, annex and annotations, by d75a980182b1"))
    let hex = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    let stranger = try Command("verify", story.saPatch, "--signer", hex)
    #expect(stranger.code == 5 && stranger.says("is not signed by 3d4017c3e843; it is signed by d75a980182b1"))
    #expect(try Command("show", story.saPatch).output.contains("signed by  d75a980182b1 (valid; "))

    let annotated = try annotate(story.saPatch, "--model", story.sa)
    #expect(annotated.says("dropped the signature by d75a980182b1: the annotations changed; sign the patch again"))
    #expect(
      try Command("verify", story.saPatch, "--signer", key("pub")).says("is not signed; sign it with vpatch sign"))
    #expect(try Command("sign", story.saPatch, "--key", key("key"), "-o", folder["signed.vpatch"]).code == 0)
    #expect(try Command("verify", folder["signed.vpatch"], "--signer", key("pub"), "--signer", hex).code == 5)

    // What changes annotations without vpatch leaves the signature, and it is void.
    let patch = try Patch(path: folder["signed.vpatch"])
    try patch.write(annotations: patch.annotations.setting("name", to: .string("x")), to: patch.path, replacing: true)
    #expect(
      try Command("show", patch.path).output.contains("signed by  d75a980182b1 (invalid: "))
    #expect(try Command("verify", patch.path, "--signer", key("pub")).says("was changed after d75a980182b1 signed it"))
    #expect(try Command("sign", patch.path, "--key", key("other-key")).says("which was no longer valid"))
  }

  @Test("one task's records are dropped, of the file and of the store's copy; a signature goes with them")
  func drop() throws {
    #expect(try annotate(story.saPatch, "--model", story.sa).code == 0)
    let store = ["--store", folder["store"]]
    #expect(try Command(Command.path, ["add", story.saPatch, "--name", "sa"] + store).code == 0)
    #expect(try Command(Command.path, ["sign", story.saPatch, "--key", key("key")] + store).code == 0)
    func tasks(_ patch: String) throws -> [String?] {
      let json = try JSON.parse(Array(try Command(Command.path, ["show", patch, "--json"] + store).output.utf8))
      return json["forgetting"]?["records"]?.array?.map { $0["task"]?.string } ?? []
    }
    let none = try Command(Command.path, ["annotate", story.saPatch, "--drop", "gsm8K"] + store)
    #expect(
      none.code == 5 && none.says("has no record of the task \"gsm8K\"; records are of arc_easy, counting, gsm8k"))
    #expect(try tasks(story.saPatch).count == 3)

    let copy = try Command(
      Command.path, ["annotate", story.saPatch, "--drop", "gsm8k", "-o", folder["c.vpatch"]] + store)
    #expect(copy.code == 0, "\(copy.errors)")
    #expect(try tasks(folder["c.vpatch"]) == ["counting", "arc_easy"] && tasks(story.saPatch).count == 3)

    let run = try Command(Command.path, ["annotate", story.saPatch, "--drop", "gsm8k", "--drop", "counting"] + store)
    #expect(run.code == 0, "\(run.errors)")
    #expect(run.output.contains("dropped    counting exact_match, gsm8k exact_match\n"))
    #expect(
      run.errors.contains("dropped the signature by d75a980182b1: the annotations changed; sign the patch again"))
    #expect(try tasks(story.saPatch) == ["arc_easy"] && tasks("sa") == ["arc_easy"])
    let last = try Command(Command.path, ["annotate", "sa", "--drop", "arc_easy", "--json"] + store)
    #expect(last.code == 0, "\(last.errors)")
    let json = try JSON.parse(Array(last.output.utf8))
    #expect(json["dropped"]?.array?.count == 1 && json["forgetting"]?["status"] == .string("unmeasured"))
    #expect(try tasks("sa").isEmpty && tasks(story.saPatch) == ["arc_easy"])
    let gone = try Command(Command.path, ["annotate", "sa", "--drop", "arc_easy"] + store)
    #expect(gone.code == 5 && gone.says("it has no records"))
  }

  @Test("keys that cannot sign") func keys() throws {
    for (name, words) in [
      ("rsa", "is not an Ed25519 key"), ("encrypted", "is encrypted; vpatch cannot ask for a pass phrase"),
      ("pub", "is a public key where a private one is expected"),
    ] {
      let run = try Command("sign", story.saPatch, "--key", key(name))
      #expect(run.code == 2 && run.says(words))
    }
    #expect(try Command("sign", story.saPatch, "--key", folder["none"]).code == 1)
    #expect(try Command("verify", story.saPatch, "--signer", key("key")).says("is a private key where a public one"))
  }

  @Test(
    "a command line that contradicts itself",
    arguments: [
      ["annotate", "a", "--results", "b"], ["annotate", "a"],
      ["annotate", "a", "--drop", "t", "--results", "b", "--base-results", "c"],
      ["annotate", "a", "--drop", "t", "--replace-all"],
      ["annotate", "a", "--results", "b", "--base-results", "c", "--base-model", "d"],
      ["annotate", "a", "--results", "b", "--base-results", "c", "--samples", "d"],
      ["annotate", "a", "--results", "b", "--base-results", "c", "--metric", "acc"],
      ["annotate", "a", "--results", "b", "--base-results", "c", "--force"], ["gate", "a"],
      ["gate", "a", "--max-forgetting", "much"], ["sign", "a"],
    ])
  func usage(arguments: [String]) throws { #expect(try Command(Command.path, arguments).code == 64) }

  @Test("limits that are none, files in the wrong places") func refused() throws {
    #expect(try Command("gate", story.saPatch, "--max-forgetting=-1").code == 5)
    #expect(try Command("gate", story.saPatch, "--max-forgetting", "inf").code == 5)
    let own = "\(Self.fixtures)/results/own"
    let patch = try Command(
      "annotate", story.saPatch, "--results", story.saPatch, "--base-results", "\(own)/base.json")
    #expect(patch.code == 2 && patch.says("is a patch, not a results file"))
    let directory = try Command("annotate", story.saPatch, "--results", own, "--base-results", "\(own)/base.json")
    #expect(directory.code == 2 && directory.says("is a folder, not a results file"))
    let tuned = try folder.write("tuned.safetensors", try folder.bytes(story.sa))
    let swapped = try Command(
      "annotate", story.saPatch, "--results", "\(own)/base.json", "--base-results", "\(own)/tuned.json", "--model",
      tuned)
    #expect(swapped.code == 5 && swapped.says("check that --results and --base-results are not swapped"))
  }
}
