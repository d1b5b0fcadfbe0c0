import ArgumentParser
import Base
import PatchFormat

struct SignCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign",
    abstract: "Sign a patch and its annotations.",
    discussion: """
      The signature (Ed25519) covers the patch's identity, its annex and its annotations: name, note, forgetting \
      records. Any later change to them makes it invalid. Several people can sign one patch.

      EXAMPLES
        openssl genpkey -algorithm ed25519 -out key.pem
        openssl pkey -in key.pem -pubout -out pub.pem
        vpatch sign counting.vpatch --key key.pem
        vpatch verify counting.vpatch --signer pub.pem
      """)

  @Argument(help: "The patch.", completion: .patches)
  var patch: String
  @Option(help: ArgumentHelp("Private key: an unencrypted PEM file.", valueName: "file"))
  var key: String
  @OptionGroup var output: AnnotatedOutput
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let key = try Ed25519.PrivateKey(path: key)
    let patch = try workspace.patch(patch)
    var dropped: [PatchSignature] = []
    let path = try workspace.annotate(patch, into: output.output, force: output.force) { patch in
      let (kept, stale) = PatchSignature.droppingStale(from: patch.annotations, patch.signedContent)
      dropped = stale
      return try kept.signed(patch.signedContent, by: key)
    }
    common.report(
      .dictionary([
        "output": .string(path), "identity": .string(patch.identity.hex), "key": .string(key.publicKey.hex),
        "signatures_dropped": .array(dropped.map { .string($0.key.hex) }),
      ]),
      text: """
        signed by  \(key.publicKey.hex)
        identity   \(patch.identity.hex)
        wrote      \((path == patch.path ? patch.label : path).printable)
        """)
    for signature in dropped where signature.key != key.publicKey {
      common.note("dropped the signature by \(signature.key.short), which was no longer valid")
    }
  }
}
