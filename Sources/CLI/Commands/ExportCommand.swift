import Apply
import ArgumentParser
import Base
import Workspace

struct ExportCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the adapter that a patch was made from, byte for byte.",
    discussion: """
      A patch that was created from a LoRA adapter holds it, if that makes the patch smaller or with --keep-adapter. \
      The two files are those that PEFT saved; their SHA-256 is checked.

      EXAMPLES
        vpatch export task.vpatch --peft adapter/
      """)

  @Argument(help: ArgumentHelp("The patch: a file, or its name in the store.", valueName: "patch"))
  var patch: String
  @Option(help: ArgumentHelp("The new folder for the adapter.", valueName: "folder"), completion: .directory)
  var peft: String
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let patch = try workspace.patch(patch)
    let files = try patch.exportAdapter(to: peft)
    let json = JSON.dictionary([
      "output": .string(peft), "identity": .string(patch.identity.hex),
      "files": .array(
        files.map {
          .dictionary(["name": .string($0.name), "bytes": JSON($0.bytes), "sha256": .string($0.digest.hex)])
        }),
    ])
    common.report(
      json,
      text: files.map {
        "wrote     \(Path.join(peft, $0.name).printable)  \(Format.bytes($0.bytes))  sha256 \($0.digest.short)"
      }.joined(separator: "\n"))
  }
}
