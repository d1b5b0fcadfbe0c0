import ArgumentParser
import Base
import Glibc

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Show what vpatch does, on an example that comes with it.",
    discussion: """
      Makes a patch from a real fine-tune, applies it and reverts it; combines patches in a stack and takes one out. \
      Each command is shown before it runs, and can be pasted. The folder stays, to go on in.

      With --model, the demo runs on that whole language model: it trains patches, measures what they teach and cost, \
      and lets the model answer without and with a patch. That takes minutes.

      EXAMPLES
        vpatch demo
        vpatch demo somewhere/else
        vpatch demo --model SmolLM2-135M-Instruct/
      """)

  @Argument(help: "Folder for the demo's files: a new or an empty one.", completion: .file())
  var folder = "vpatch-demo"
  @Option(help: ArgumentHelp("Folder of a language model to use.", valueName: "model"), completion: .file())
  var model: String?

  func run() throws {
    switch try PathKind.of(folder, followingLinks: false) {
    case .missing: try Directory.make(folder)
    case .directory where try Path.entries(of: folder).isEmpty: break
    default:
      throw VPatchError(
        .refused, folder, "exists and is not empty", remedy: "give another folder, such as vpatch demo demo-2")
    }
    let place = try Path.resolved(folder)
    let program = try InstalledFiles.programPath()
    let story = try model.map { try DemoStory.ofModel(Path.resolved($0)) } ?? DemoStory.ofPair()
    Interruption.setFarewell("; \(place) keeps what the demo made so far")
    Terminal.out(story.opening)
    let setUp = "cd \(Path.shellWord(place))\nexport VPATCH_STORE=\(Path.shellWord(Path.join(place, "store")))"
    show(setUp)
    let environment = ["VPATCH_STORE": Path.join(place, "store")]
    for step in story.steps {
      switch step {
      case .say(let text): Terminal.out("\n" + text)
      case .run(let line, let expected):
        show(line)
        let code = try Shell.run(line, in: place, program: program, environment: environment)
        // An interrupted command has said so.
        if code == 130 || code == 143 { throw ExitCode(code) }
        if expected != 0 || code != 0 { Terminal.out("(exit code \(code))") }
        guard code == expected else {
          throw VPatchError(
            .mismatch, nil, "the demo's command '\(line)' ended with \(code) instead of \(expected)",
            remedy: "this is a fault of vpatch or of its installation: please report it")
        }
      }
      try Terminal.requireOutput()
    }
    Terminal.out(
      """

      All results are exact. The models and patches are in \(place). Go on there:
      """)
    show(setUp + "\nvpatch list\nvpatch log")
    Terminal.out("Your own fine-tune:\n")
    show("vpatch create BASE TUNED -o task.vpatch --name task")
  }

  private func show(_ command: String) {
    for line in command.split(separator: "\n", omittingEmptySubsequences: false) {
      Terminal.out("$ \(line)", isWide: true)
    }
  }
}
