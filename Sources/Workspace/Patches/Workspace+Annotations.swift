import Base
import Catalogue
import PatchFormat

extension Workspace {
  /// Gives a patch other annotations: in place, or in a copy. The catalogue learns of it if the patch is in the store.
  /// - Parameters:
  ///   - output: the copy; nil to change the patch itself.
  ///   - force: replace an existing copy.
  ///   - change: receives the patch as it is at that moment, and returns its new annotations.
  /// - Returns: the path that was written.
  package func annotate(
    _ patch: Patch, into output: String?, force: Bool, _ change: (Patch) throws -> JSON
  ) throws -> String {
    if let output {
      try OutputCheck.file(output, inputs: [patch.file], force: force)
      try patch.write(annotations: change(patch), to: output, replacing: force)
      return output
    }
    if let store = try store.existing(), try store.holds(patch) {
      try store.editAnnotations(patch.identity, threads: work.threads, change)
    } else {
      try OutputCheck.file(patch.path, inputs: [], force: true)
      try patch.editAnnotations(threads: work.threads, change)
    }
    return patch.path
  }
}
