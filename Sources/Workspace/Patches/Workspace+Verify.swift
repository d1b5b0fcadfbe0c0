import Apply
import Base
import PatchFormat

extension Workspace {
  /// Checks a patch, and what else is given; writes nothing.
  /// - Parameters:
  ///   - base, target: paths of the models, each rebuilt from the other side in memory.
  ///   - recipe: only its tensors may be touched.
  ///   - signers: each must have signed the patch.
  ///   - full: hash the models' untouched tensors too.
  /// - Throws: `wrongBase`, `mismatch` or `refused` for the first check that fails.
  package func verify(
    _ patch: Patch, base: String?, target: String?, recipe: Recipe?, signers: [Ed25519.PublicKey] = [], full: Bool
  ) throws -> [Verify.Finding] {
    let verify = Verify(patch, work)
    var findings = [verify.file]
    if let recipe { findings.append(try verify.recipe(recipe)) }
    if !signers.isEmpty { findings.append(try verify.signatures(by: signers)) }
    if let base { findings.append(try verify.base(checkpoint(base), full: full)) }
    if let target { findings.append(try verify.target(checkpoint(target), full: full)) }
    return findings
  }
}
