import Apply
import ArgumentParser
import Base

struct VerifyCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Verify a patch: its file, its models, its recipe, its signatures.",
    discussion: """
      Writes nothing. With --base vpatch rebuilds the target in memory, with --target the base.

      EXAMPLES
        vpatch verify counting.vpatch
        vpatch verify counting.vpatch --base base/ --target tuned/ --recipe sa-proj
        vpatch verify counting.vpatch --signer pub.pem
      """)

  @Argument(help: "The patch.", completion: .patches)
  var patch: String
  @Option(help: ArgumentHelp("The base checkpoint, to rebuild the target.", valueName: "model"))
  var base: String?
  @Option(help: ArgumentHelp("The target checkpoint, to rebuild the base.", valueName: "model"))
  var target: String?
  @Option(help: ArgumentHelp("Check that only the tensors of this recipe are touched.", valueName: "name"))
  var recipe: Recipe?
  @Option(
    help: ArgumentHelp(
      "Check that the patch has a valid signature by this public key: a PEM file or 64 hex digits; repeatable.",
      valueName: "key"))
  var signer: [String] = []
  @Flag(help: "Also hash the untouched tensors of the models.")
  var full = false
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let signers = try signer.map { try Ed25519.PublicKey($0) }
    let patch = try workspace.patch(patch)
    let findings = try workspace.verify(
      patch, base: base, target: target, recipe: recipe, signers: signers, full: full)
    let json = JSON.dictionary([
      "identity": .string(patch.identity.hex), "ok": .bool(true),
      "checked": .object(findings.map { JSON.Member($0.what, .string($0.detail)) }),
    ])
    common.print(json, text: findings.map { "ok  \($0.what.padded(8))\($0.detail)" }.joined(separator: "\n"))
  }
}
