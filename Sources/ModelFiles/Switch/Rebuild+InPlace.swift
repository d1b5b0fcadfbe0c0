import Apply
import Base
import Checkpoints
import PatchFormat

/// The result of a change in place.
package struct InPlaceResult: Sendable {
  package let path: String
  package let provenancePath: String
  package let from: ContentDigest
  package let to: ContentDigest
  package let touchedTensors: Int
  /// Bytes of tensors that were overwritten, or of whole files that were replaced.
  package let writtenBytes: Int
  package let totalBytes: Int
  /// Number of tensors that were not hashed, since no patch touches them.
  package let unverifiedTensors: Int
  /// Whether the files are those the patch was made from or makes, byte for byte; otherwise they have the input's
  /// layout.
  package let isFilesExact: Bool
  /// Side files of the model that differ from the patch's and were kept.
  package let sideFilesKept: [String]
  /// What happened to the other side files.
  package let sideFileSummary: SideFileSummary
}

extension Rebuild {
  /// Replaces the model by the result. At every moment the model is the old one or the new one, after `Recovery` if
  /// interrupted (docs/design/in-place.md).
  ///
  /// The touched tensors are checked against their fingerprints before the first byte is written, and again after the
  /// last.
  /// - Parameters:
  ///   - provenance: the provenance of the result, from `provenance(full:inPlace:)`.
  ///   - full: hash the untouched tensors first too.
  ///   - allowLinks: write through symbolic links and into files with several hard links.
  ///   - byRename: write whole files and rename them over the old ones. Processes that have the old files open or
  ///     mapped keep them.
  /// - Throws: `refused` for a model that is locked, unfinished, linked, or whose layout would change; `wrongBase`
  ///   where it is not the input of the first step; `io`. If the remedy mentions `vpatch recover`, the change is
  ///   committed and unfinished; otherwise the model is unchanged.
  package func writeInPlace(_ provenance: Provenance, full: Bool, allowLinks: Bool, byRename: Bool) throws
    -> InPlaceResult
  {
    let touched = self.touched
    try checkNames(steps[0])
    if !byRename { try checkLayoutStays(touched) }
    let places = byRename ? [] : self.places(touched)
    let model = try LockedModel(
      input, written: Set(places.map(\.tensor.file)), allowLinks: allowLinks, byRename: byRename)
    let provenancePath = try Provenance.path(forModel: model.place.path, isDirectory: input.isDirectory)
    _ = try TemporaryFiles.removeAbandoned(
      in: model.place.folder, of: model.place.ownNames([Path.name(provenancePath)]))

    let full = try full || contradictsItself
    let side = try SideFileChanges(input, steps)
    var replacements = PendingReplacements(in: model.place.folder, sibling: model.files.first?.path)
    for file in side.replaced { try replacements.replace(file) }
    try replacements.replace(Path.name(provenancePath), with: provenance.text)

    let isExact: Bool
    let written: Int
    if byRename {
      try checkInput(full: full)
      (isExact, written) = try replaceFiles(touched, model, &replacements)
      try commit([], model, replacements) { _ in }
    } else {
      if full { try checkInput(full: true) }
      let (layout, hasLayout) = try view.layout()
      isExact = hasLayout && layout.hasSameFiles(as: FileLayout(of: input))
      written = places.reduce(0) { $0 + $1.tensor.info.byteCount }
      try commit(places, model, replacements) { try fill($0, places) }
    }
    let outputs = steps[steps.count - 1].patch.header.tensors.compactMap(steps[steps.count - 1].output)
    return InPlaceResult(
      path: input.path, provenancePath: provenancePath, from: steps[0].from,
      to: steps[steps.count - 1].to, touchedTensors: touched.count, writtenBytes: written,
      totalBytes: outputs.reduce(0) { $0 + $1.info.byteCount },
      unverifiedTensors: full ? 0 : provenance.unverified.count, isFilesExact: isExact,
      sideFilesKept: side.kept, sideFileSummary: side.summary)
  }

  /// Writes and commits the journal, then replays it. An interrupt no longer stops this after the commit.
  private func commit(
    _ places: [Place], _ model: LockedModel, _ replacements: PendingReplacements, fill: (JournalFile) throws -> Void
  ) throws {
    let written = input.files.indices.filter { i in places.contains { $0.tensor.file == i } }
    let journal = Journal(
      from: steps[0].from, to: steps[steps.count - 1].to,
      files: try written.map { i in
        let path = model.files[i].path
        guard let identity = try LastingIdentity.of(path, followingLinks: true) else {
          throw VPatchError.system(path, "cannot be examined")
        }
        return Journal.File(name: Path.name(path), identity: identity)
      },
      regions: places.map {
        Journal.Region(
          file: written.firstIndex(of: $0.tensor.file)!, offset: $0.tensor.offset, tensor: $0.touched.output!)
      },
      renames: try replacements.renames(), removals: replacements.removals)
    let file = try JournalFile(journal, of: model.place, renaming: replacements.outputs)
    try fill(file)
    for place in places {
      let start = place.tensor.offset
      try model.files[place.tensor.file].reserve(start..<start + place.tensor.info.byteCount)
    }
    // Users may edit files beside a model without regard to locks.
    try replacements.requireUnchanged()
    try file.decide(onto: written.map { model.files[$0] }, model.place, work)
    // All locks are held up to here.
    withExtendedLifetime((model, replacements)) {}
  }

  // MARK: Overwriting

  /// A touched tensor and its place.
  private struct Place {
    let touched: Touched
    let tensor: CheckpointTensor
  }

  private func checkLayoutStays(_ touched: [Touched]) throws {
    let remedy = "use --by-rename, which writes whole files"
    if let moved = touched.first(where: { $0.input?.info != $0.output?.info }) {
      throw VPatchError(
        .refused, input.path,
        "cannot be changed in place: the tensor \"\(moved.name.printable)\" is added, removed or of another shape",
        remedy: remedy)
    }
    guard try !FileLayout(of: input).isStamped(path: input.path) else {
      throw VPatchError(
        .refused, input.path, "cannot be changed in place: its files' metadata contain its provenance (--stamp)",
        remedy: remedy)
    }
  }

  private func places(_ touched: [Touched]) -> [Place] {
    touched.map { Place(touched: $0, tensor: input.tensor(named: $0.name)!) }
      .sorted { ($0.tensor.file, $0.tensor.offset) < ($1.tensor.file, $1.tensor.offset) }
  }

  /// Decodes the new bytes into the journal and verifies the old ones that they are made from, both from one read.
  private func fill(_ journal: JournalFile, _ places: [Place]) throws {
    let sizes = places.map(\.tensor.info.byteCount)
    work.progress.begin("decoding", total: sizes.reduce(0, +))
    do {
      _ = try LargestFirst.map(sizes, threads: work.threads) { i in
        try rebuildChecked(places[i].touched) { try journal.write($1, region: i, at: $0) }
        journal.beginWriteback(region: i)
      }
    } catch let error as VPatchError {
      // A wrong input can cause various errors. If that is the cause, this throws the right one.
      if error.code != .io { try checkInput(full: false) }
      throw error
    }
  }
}
