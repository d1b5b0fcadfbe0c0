import Base
import PatchFormat

extension Store {
  /// Replaces a stored patch by a file of the same patch that also holds the adapter it was made from. The stored
  /// annotations stay: names, notes and measurements. How the patch was made is taken from the new file.
  /// - Parameter path: the file with the adapter.
  /// - Returns: the facts of the new file, and the signatures that it invalidates.
  /// - Throws: `io` where the file is another patch now.
  func complete(
    _ identity: ContentDigest, with path: String, threads: Int
  ) throws -> (facts: PatchFacts, voided: [PatchSignature]) {
    let complete = try Patch(path: path, threads: threads)
    guard complete.identity == identity else {
      throw VPatchError(.io, path, "was changed while it was read", remedy: "run the command again")
    }
    let stored = try Patch(path: file(of: identity), threads: threads)
    let (annotations, voided) = PatchSignature.droppingStale(
      from: stored.annotations.setting("made", to: complete.annotations["made"]), complete.signedContent)
    try complete.write(annotations: annotations, to: file(of: identity), replacing: true)
    return (PatchFacts(try Patch(path: file(of: identity), threads: threads)), voided)
  }
}
