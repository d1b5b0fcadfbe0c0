import Base
import Checkpoints
import Families
import PatchFormat

/// Everything about a patch that can be checked, with or without the models it belongs to.
package struct Verify: Sendable {
  package let patch: Patch
  package let work: WorkOptions

  package init(_ patch: Patch, _ work: WorkOptions) {
    self.patch = patch
    self.work = work
  }

  /// One thing that was checked and holds.
  package struct Finding: Sendable {
    package let what: String
    package let detail: String
  }

  /// The patch alone was verified when it was opened; this says what that means.
  package var file: Finding {
    let chunks = patch.header.tensors.reduce(0) { $0 + $1.chunks.count }
    return Finding(
      what: "file",
      detail:
        "\(Format.counted(patch.header.tensors.count, "tensor")), \(Format.counted(chunks, "chunk")), roots, identity, annex, annotations"
    )
  }

  /// The base is the patch's, and all that the patch makes of it has the promised fingerprints.
  package func base(_ checkpoint: Checkpoint, full: Bool) throws -> Finding {
    let bytes = try Rebuild(checkpoint, [PatchStep(patch, .forward)], work).check(full: full)
    return Finding(what: "base", detail: detail(bytes, full, "rebuilt to the target"))
  }

  /// The target is the patch's, and reverting it gives the base's fingerprints.
  package func target(_ checkpoint: Checkpoint, full: Bool) throws -> Finding {
    let bytes = try Rebuild(checkpoint, [PatchStep(patch, .backward)], work).check(full: full)
    return Finding(what: "target", detail: detail(bytes, full, "reverted to the base"))
  }

  private func detail(_ bytes: Int, _ full: Bool, _ what: String) -> String {
    let touched = patch.header.touched.count
    let rest = patch.header.tensors.count - touched
    return "\(Format.counted(touched, "tensor")), \(Format.bytes(bytes)), \(what) in memory, bit for bit; "
      + (full ? "the other \(rest) hashed too" : "the other \(rest) unverified (--full hashes them)")
  }

  /// Nothing outside a recipe is touched.
  /// - Throws: `refused`, naming what is.
  package func recipe(_ recipe: Recipe) throws -> Finding {
    let layout = ModelLayout.recognise(names: patch.header.tensors.compactMap { $0.base?.info.name })
    let others = patch.header.touched.filter { !recipe.contains(layout.component(of: $0.name)) }
    if let first = others.first {
      throw VPatchError(
        .refused, patch.label,
        "touches \(Format.counted(others.count, "tensor")) outside the recipe \(recipe.rawValue), first \"\(first.name.printable)\""
      )
    }
    return Finding(
      what: "recipe", detail: "all \(patch.header.touched.count) touched tensors are in \(recipe.rawValue)")
  }

  /// Each of these keys signed the patch, the files that travel along, and its annotations, as they are.
  /// - Throws: `refused` for the first that did not.
  package func signatures(by keys: [Ed25519.PublicKey]) throws -> Finding {
    for key in keys { try patch.checkSignature(by: key) }
    let signers = keys.map(\.short).joined(separator: ", ")
    return Finding(what: "signed", detail: "identity, annex and annotations, by \(signers)")
  }
}
