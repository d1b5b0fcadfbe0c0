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

  /// One thing that was checked and is valid.
  package struct Finding: Sendable {
    package let what: String
    package let detail: String
  }

  /// Opening a patch verifies it. This reports what that covers.
  package var file: Finding {
    let chunks = patch.header.tensors.reduce(0) { $0 + $1.chunks.count }
    return Finding(
      what: "file",
      detail:
        "\(Format.counted(patch.header.tensors.count, "tensor")), \(Format.counted(chunks, "chunk")), roots, identity, annex, annotations"
    )
  }

  /// Checks that the base is the patch's, and that all rebuilt tensors have the recorded fingerprints.
  package func base(_ checkpoint: SafetensorsCheckpoint, full: Bool) throws -> Finding {
    let bytes = try Rebuild(checkpoint, [PatchStep(patch, .forward)], work).check(full: full)
    return Finding(what: "base", detail: detail(bytes, full, "rebuilt to the target"))
  }

  /// Checks that the target is the patch's, and that reverting it gives the base's fingerprints.
  package func target(_ checkpoint: SafetensorsCheckpoint, full: Bool) throws -> Finding {
    let bytes = try Rebuild(checkpoint, [PatchStep(patch, .backward)], work).check(full: full)
    return Finding(what: "target", detail: detail(bytes, full, "reverted to the base"))
  }

  private func detail(_ bytes: Int, _ full: Bool, _ what: String) -> String {
    let touched = patch.header.touched.count
    let rest = patch.header.tensors.count - touched
    return "\(Format.counted(touched, "tensor")), \(Format.bytes(bytes)), \(what) in memory, bit for bit; "
      + (full ? "the other \(rest) hashed too" : "the other \(rest) unverified (--full hashes them)")
  }

  /// Checks that no tensor outside a recipe is touched.
  /// - Throws: `refused` with a tensor that is.
  package func recipe(_ recipe: Recipe) throws -> Finding {
    let layout = ModelLayout.recognise(names: patch.header.tensors.compactMap { $0.base?.info.name })
    func isIn(_ name: String) -> Bool { recipe.contains(layout.component(of: name)) }
    let tied = TiedTensors(patch.header.tensors.map(\.entry), isAllowed: isIn)
    let others = patch.header.touched.filter { !isIn($0.name) && !tied.contains($0.entry) }
    if let first = others.first {
      throw VPatchError(
        .refused, patch.label,
        "touches \(Format.counted(others.count, "tensor")) outside the recipe \(recipe.rawValue), first \"\(first.name.printable)\""
      )
    }
    return Finding(
      what: "recipe", detail: "all \(patch.header.touched.count) touched tensors are in \(recipe.rawValue)")
  }

  /// Checks that each of these keys signed the patch, its side files and its annotations in their current form.
  /// - Throws: `refused` for the first key that did not.
  package func signatures(by keys: [Ed25519.PublicKey]) throws -> Finding {
    for key in keys { try patch.checkSignature(by: key) }
    let signers = keys.map(\.short).joined(separator: ", ")
    return Finding(what: "signed", detail: "identity, annex and annotations, by \(signers)")
  }
}

extension PatchTensor {
  fileprivate var entry: TiedTensors.Entry {
    TiedTensors.Entry(name: name, base: base?.fingerprint, target: target?.fingerprint)
  }
}
