import Foundation
import TestModels
import Testing

/// Command lines and files that are wrong, as people type and give them: each ends in one or two lines with a remedy, and
/// the remedy itself works.
@Suite("Wrong typings and wrong files") struct TypingTests {
  let story: StackStory
  var folder: TestFolder { story.folder }

  init() throws {
    story = try StackStory()
    try story.done("stack", "new", "triage", "--base", story.base, "sa@0.5", "mlp")
    for (name, bytes) in Self.files { try folder.write(name, bytes) }
    try folder.write("adapter/adapter_config.json", #"{"peft_type": "LORA", "base_model_name_or_path": "x/y"}"#)
    try folder.file("adapter/adapter_model.safetensors", [.weights("base_model.model.q_proj.lora_A.weight", [4, 8])])
    try folder.write("model/model.safetensors", folder.bytes("base.safetensors"))
  }

  private static func zip(_ entry: String) -> [UInt8] {
    Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0, count: 26) + Array(entry.utf8)
  }

  /// Beginnings of files of other forms.
  static let files: [String: [UInt8]] = [
    "model.bin": zip("archive/data.pkl"), "model.pt": [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC], "arrays.npz": zip("w.npy"),
    "model.gguf": Array("GGUF".utf8) + [3, 0, 0, 0], "pointer.safetensors": Array("version https://git-lfs".utf8),
    "rows.parquet": Array("PAR1".utf8) + [UInt8](repeating: 7, count: 90),
    "model.gz": [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0], "page.safetensors": Array("\n<!DOCTYPE html><html>".utf8),
    "model.onnx": [0x08, 0x07, 0x12, 0x07] + Array("pytorch".utf8), "rows.zip": zip("rows.jsonl"),
    "model.h5": [0x89, 0x48, 0x44, 0x46], "model.zst": [0x28, 0xB5, 0x2F, 0xFD],
  ]

  struct Case: Sendable, CustomTestStringConvertible {
    let line: String
    let code: Int32
    let words: [String]
    /// A command of the message that must work then; nil if there is none to run here.
    let remedy: String?

    init(_ line: String, _ code: Int32, _ words: String..., then remedy: String? = nil) {
      (self.line, self.code, self.words, self.remedy) = (line, code, words, remedy)
    }

    var testDescription: String { line }
  }

  static let typings: [Case] = [
    Case("creat base.safetensors sa.safetensors -o x", 64, "Did you mean 'vpatch create'?", then: "create --help"),
    Case("ls", 64, "Did you mean 'vpatch list'?", then: "list"),
    Case("lst", 64, "Did you mean 'vpatch list'?", then: "list"),
    Case("checkout base.safetensors triage", 64, "Did you mean 'vpatch switch'?", then: "switch --help"),
    Case("merge sa mlp", 64, "Did you mean 'vpatch stack new'?", then: "stack new --help"),
    Case("undo base.safetensors", 64, "Did you mean 'vpatch revert'?", then: "revert --help"),
    Case("delete sa", 64, "Did you mean 'vpatch delete-patch'?", then: "delete-patch --help"),
    Case("finetune base", 64, "Did you mean 'vpatch train'?", then: "train --help"),
    Case("chat base", 64, "Did you mean 'vpatch generate'?", then: "generate --help"),
    Case("stack ad triage sa", 64, "Did you mean 'vpatch stack add'?", then: "stack add triage sa"),
    Case("frobnicate", 64, "is not a command of vpatch", then: "--help"),
    Case("create base.safetensors", 64, "Missing expected argument '<tuned>'", "Usage: vpatch create <base> <tuned>"),
    Case("create base.safetensors sa.safetensors -o x --recpie sa-proj", 64, "Did you mean '--recipe'?"),
    Case(
      "create base.safetensors sa.safetensors -o x.vpatch --recipe sa_proj", 64, "Did you mean 'sa-proj'?",
      then: "create base.safetensors sa.safetensors -o x.vpatch --recipe sa-proj --no-store"),
    Case("show sa --jsn", 64, "Did you mean '--json'?", then: "show sa --json"),
    Case("show saa", 1, "did you mean sa?", then: "show sa"),
    Case("show triag", 1, "did you mean triage?", then: "show triage"),
    Case("switch base.safetensors triagee", 1, "did you mean triage?", then: "stack show triage"),
    Case("stack show sa", 1, "is not a stack", then: "stack list"),
    Case("verify triage", 5, "is a stack, and this needs a patch", "'vpatch show triage'", then: "show triage"),
    Case("compose sa triage -o x.vpatch", 5, "triage: is a stack, and this needs a patch", then: "show triage"),
    Case("tag triage good", 5, "is a stack, and this needs a patch", then: "show triage"),
    Case("stack new two --base base.safetensors triage", 5, "is a stack, and this needs a patch"),
    Case("create base.safetensors sa.safetensors -o -", 5, "standard output", "./-"),
    Case("apply base.safetensors sa -o -", 5, "standard output", "give the name of a file"),
    Case("report sa -o -", 5, "standard output"),
    Case(
      "create base.safetensors mlp.safetensors -o y.vpatch --name sa", 5, "the name sa is taken", "--force",
      then: "create base.safetensors mlp.safetensors -o y.vpatch --name sa --force"),
    Case("add mlp.vpatch --name sa", 5, "the name sa is taken", "--force", then: "add mlp.vpatch --name sa --force"),
    Case("alias triage sa", 5, "the name triage is taken: a stack has it", then: "alias triage-sa sa"),
    Case(
      "stack new sa --base base.safetensors mlp", 5, "the name sa is taken",
      then: "stack new sa2 --base base.safetensors mlp"),
    Case(
      "stack new big --base base.safetensors sa@80", 5, "has the scale 80, beyond −1 to 2", "--any-scale",
      then: "stack new big --base base.safetensors sa@80 --any-scale"),
    Case(
      "apply base.safetensors sa@-7 -o x.safetensors", 5, "--any-scale",
      then: "apply base.safetensors sa@-7 -o x.safetensors --any-scale"),
    Case("switch base.safetensors sa@3", 5, "beyond −1 to 2", "--any-scale"),
    Case("create base.safetensors sa.safetensors -o sa.vpatch", 5, "already exists", "--force"),
    Case("apply sa.safetensors sa -o x.safetensors", 3, "already", then: "status sa.safetensors"),
    Case("apply sa.vpatch base.safetensors -o x", 2, "is a patch, not a checkpoint", "order of the arguments"),
    Case("eval base.safetensors --suite everyda", 1, "did you mean everyday?"),
    Case("eval base.safetensors --suite nothing", 1, "neutral or everyday"),
    Case("create base.safetensors sa.safetensors -o nowhere/x.vpatch", 5, "folder that does not exist", "create"),
    Case("create bse.safetensors sa.safetensors -o x.vpatch", 1, "bse.safetensors"),
    Case("delete-patch nothing", 1, "is not an alias", then: "list"),
    Case("gate sa --max-forgetting", 64, "Missing value for '--max-forgetting"),
    Case("list --limit=-3", 64, "--limit must be at least 0"),
  ]

  static let foreign: [Case] = [
    Case("create model.bin base.safetensors -o x.vpatch", 2, "is a PyTorch file", "torch.load", "model.safetensors"),
    Case("create model.pt base.safetensors -o x.vpatch", 2, "is a PyTorch file", "weights_only=True"),
    Case("create base.safetensors model.bin -o x.vpatch", 2, "is not a valid file of torch.save", "cut short?"),
    Case("create base.safetensors model.gguf -o x.vpatch", 2, "is a GGUF file", "before it was converted"),
    Case("create base.safetensors model.onnx -o x.vpatch", 2, "is an ONNX file", "before it was exported"),
    Case("create base.safetensors pointer.safetensors -o x.vpatch", 2, "is a Git LFS pointer", "lfs pull"),
    Case("create base.safetensors page.safetensors -o x.vpatch", 2, "is a web page", "/resolve/"),
    Case("create base.safetensors model.gz -o x.vpatch", 2, "is a compressed file (gzip)", "gzip -dc model.gz > model"),
    Case("create base.safetensors model.zst -o x.vpatch", 2, "is a compressed file (zstd)", "zstd -dc"),
    Case("create base.safetensors rows.parquet -o x.vpatch", 2, "is a Parquet table"),
    Case("create base.safetensors arrays.npz -o x.vpatch", 2, "is a NumPy file"),
    Case("create base.safetensors model.h5 -o x.vpatch", 2, "is an HDF5 file"),
    Case("create base.safetensors adapter -o x.vpatch", 5, "changes 1 tensor that the base", "q_proj.weight", "x/y"),
    Case("diff base.safetensors adapter", 2, "is a PEFT adapter (LORA, of x/y)", "vpatch create BASE adapter"),
    Case("create base.safetensors base.safetensors -o x.vpatch --keep-adapter", 5, "keeps an adapter", "--adapter"),
    Case("show model.gguf", 2, "is a GGUF file", "not a patch", ".vpatch"),
    Case("show base.safetensors", 2, "is a safetensors file, not a patch", "vpatch create BASE base.safetensors"),
    Case("add model.bin", 2, "is a PyTorch file", "not a patch"),
    Case("show adapter", 2, "is a PEFT adapter (LORA, of x/y), not a patch", "vpatch create BASE adapter"),
    Case("add adapter", 5, "is a LoRA adapter", "--base MODEL"),
    Case("show model", 2, "is a model's folder, not a patch", "vpatch create BASE model"),
    Case("show page.safetensors", 2, "is a web page", "not a patch", "/resolve/"),
  ]

  private func run(_ line: String) throws -> Command {
    try Command(
      "/bin/sh", ["-c", "cd \"$0\" && \"$1\" \(line)", folder.path, Command.path], ["VPATCH_STORE": folder.store])
  }

  @Test("typings", arguments: typings + foreign) func wrong(_ wrong: Case) throws {
    let run = try run(wrong.line)
    #expect(run.code == wrong.code, "\(run.code): \(run.errors)")
    #expect(run.output.isEmpty)
    let lines = run.errors.split(separator: "\n")
    #expect((1...2).contains(lines.count), "\(run.errors)")
    for words in wrong.words { #expect(run.errors.contains(words), "\(words): \(run.errors)") }
    // "Did you mean both?" must not name what was typed.
    let typed = wrong.line.split(separator: " ")
    if let meant = run.errors.firstMatch(of: #/did you mean (.*)\?/#) {
      #expect(!typed.contains { meant.output.1 == $0 }, "\(run.errors)")
    }
    guard let remedy = wrong.remedy else { return }
    let then = try self.run(remedy)
    #expect(then.code == 0, "\(remedy): \(then.errors)")
  }

  @Test("the line that unpacks a file works") func unpacking() throws {
    let base = try folder.bytes("base.safetensors")
    try folder.write("packed.safetensors", base)
    for (program, ending) in [("gzip", "gz"), ("xz", "xz"), ("bzip2", "bz2"), ("zstd", "zst"), ("python3", "zip")] {
      guard try Command("/bin/sh", ["-c", "command -v \(program)"]).code == 0 else { continue }
      let packed = "packed.safetensors.\(ending)"
      let pack =
        ending == "zip" ? "python3 -m zipfile -c \(packed) packed.safetensors" : "\(program) -kq packed.safetensors"
      let shell = "cd \"$0\" && \(pack) && rm packed.safetensors"
      #expect(try Command("/bin/sh", ["-c", shell, folder.path]).code == 0)
      let refused = try run("create \(packed) sa.safetensors -o x.vpatch")
      let line = try #require(refused.errors.firstMatch(of: #/it: (.*)/#)?.output.1, "\(refused.errors)")
      #expect(try Command("/bin/sh", ["-c", "cd \"$0\" && \(line)", folder.path]).code == 0)
      #expect(try folder.bytes("packed.safetensors") == base)
    }
  }

  @Test("rows of other forms") func rows() throws {
    let scene = try TrainScene()
    for (name, bytes) in Self.files { try scene.folder.write(name, bytes) }
    for (name, words) in [
      ("rows.parquet", "read_parquet(sys.argv[1]).to_json('rows.jsonl'"), ("model.bin", "is a PyTorch file"),
      ("rows.zip", "python3 -m zipfile -e"), ("page.safetensors", "is a web page"),
    ] {
      let run = try scene.train("--steps", "1", "--data", scene.folder[name])
      #expect(run.code == 5 && run.says(words), "\(run.errors)")
    }
  }

  @Test("other names of options and commands") func aliases() throws {
    let scene = try TrainScene()
    let run = try scene.train("--steps", "1", "--learning-rate", "1e-3", "--batch-size", "2", "-q")
    #expect(run.code == 0, "\(run.errors)")
    #expect(try self.run("stack remove triage sa -q").code == 0)
    #expect(try self.run("stack delete triage -q").code == 0)
    #expect(try self.run("rm mlp --force -q").code == 0)
  }

  @Test("a stack's name works where a patch's does") func stacks() throws {
    for line in ["show triage", "apply base.safetensors triage -o t.safetensors", "report triage -o r.html"] {
      let run = try run(line)
      #expect(run.code == 0, "\(line): \(run.errors)")
    }
    #expect(try run("gate triage --max-forgetting 1").code == 12)
  }

  @Test("a file and a name of the store: the file, said once; a folder and other files do not count") func names()
    throws
  {
    try folder.write("mlp", folder.bytes("sa.vpatch"))
    let file = try run("show mlp")
    #expect(file.output.contains(try story.identity("sa").hex))
    #expect(file.errors.split(separator: "\n").count == 1)
    #expect(file.errors.contains("note: the file mlp is used, not the patch of that name in the store"))
    let identity = try story.identity("mlp")
    #expect(try run("show \(identity.short)").output.contains(identity.hex))
    try folder.write("mlp", "text")
    #expect(try run("show mlp").output.contains(identity.hex))
    #expect(try run("tag mlp good").output.contains(identity.short))
  }

  @Test("--quiet hides reports, not what was asked for") func quiet() throws {
    for line in [
      "list", "show sa", "log", "stack list", "stack show triage", "alias", "fsck", "verify sa", "diff sa mlp",
    ] {
      #expect(try !run("\(line) -q").output.isEmpty, "\(line)")
    }
    #expect(try run("tag sa good -q").output.isEmpty)
  }

  @Test("fsck says what it counts beside what list shows") func counts() throws {
    #expect(try run("apply base.safetensors triage -o t.safetensors -q").code == 0)
    let listed = try run("list --json").output.matches(of: #/"identity"/#).count
    #expect(try run("fsck").output.contains("\(listed) patches and 1 composite or undo patch (list --all), "))
  }

  @Test("completion offers the names of patches and stacks") func completion() throws {
    func offered(_ words: String) throws -> [Substring] {
      let run = try Command(
        "/bin/bash",
        [
          "-c",
          """
          cd "$1" && PATH="$2:$PATH" && source <(vpatch --generate-completion-script bash)
          COMP_WORDS=(\(words) "") COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE="\(words) " COMP_POINT=99
          complete_function=$(complete -p vpatch | sed 's/.*-F \\([^ ]*\\).*/\\1/')
          $complete_function vpatch "" "" 2>/dev/null; printf '%s\\n' "${COMPREPLY[@]}"
          """, "bash", folder.path, URL(filePath: Command.path).deletingLastPathComponent().path,
        ], ["VPATCH_STORE": folder.store])
      return run.output.split(separator: "\n").map { $0.prefix { $0 != " " } }
    }
    let patches = try offered("vpatch show")
    for name in ["sa", "mlp", "both", "triage"] { #expect(patches.contains { $0 == name }, "\(name): \(patches)") }
    #expect(try offered("vpatch stack show").contains("triage"))
  }
}
