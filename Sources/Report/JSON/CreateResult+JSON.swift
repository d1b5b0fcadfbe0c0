import Apply
import Base

extension CreateResult {
  /// What was written, as members of the JSON that `vpatch create --json` prints.
  package var members: [JSON.Member] {
    func names(_ list: [String]) -> JSON { .array(list.map { .string($0) }) }
    let members =
      JSON.dictionary([
        "identity": .string(header.identity.hex),
        "base": .string(header.baseRoot.hex), "target": .string(header.targetRoot.hex),
        "recipe": recipe.map { .string($0.rawValue) }, "layout": .string(layout.name),
        "bytes": JSON(fileSize), "tuned_bytes": JSON(tunedBytes), "model_bytes": JSON(modelBytes),
        "changes": PatchSummary(header).json,
        "cast": names(cast), "casts": .array(casts.map(\.json)),
        "unchanged_missing": JSON(kept.count), "kept": names(kept),
        "renamed": JSON(renamed), "rearranged": JSON(rearranged), "dropped": names(dropped),
        "side_files": names(sideFiles), "side_files_left_out": names(sideFilesLeftOut),
        "side_files_missing": names(sideFilesMissing), "adapter": adapter?.json,
      ]).object ?? []
    return members + sideFileSummary.members
  }
}
