import Base

/// Findings about a model that patches make, for the user to know.
package struct Findings: Equatable, Sendable {
  package var notFinite: [NotFinite] = []
  package var disputedFiles: [DisputedFile] = []

  package init(notFinite: [NotFinite] = [], disputedFiles: [DisputedFile] = []) {
    self.notFinite = notFinite
    self.disputedFiles = disputedFiles
  }

  /// One sentence for each finding.
  package var texts: [String] { notFinite.map(\.text) + disputedFiles.map(\.text) }

  /// Members of a command's result.
  package var members: [JSON.Member] {
    [
      JSON.Member([NotFinite].key, notFinite.json),
      JSON.Member(
        "side_files_disputed",
        .array(
          disputedFiles.map {
            .dictionary(["name": .string($0.name), "patches": .array($0.patches.map { .string($0) })])
          })),
    ]
  }
}

extension [PatchStep] {
  /// Findings of the applied patches. Those of reverted ones were reported when they were applied.
  package var findings: Findings {
    let forward = filter { $0.direction == .forward }.map(\.findings)
    return Findings(notFinite: forward.flatMap(\.notFinite), disputedFiles: forward.flatMap(\.disputedFiles))
  }
}
