import Apply
import Base
import Checkpoints
import PatchFormat

/// The result of writing a new model.
package struct RebuildResult: Sendable {
  package let path: String
  package let provenancePath: String
  /// What was applied to its base.
  package let state: ModelState
  package let touchedTensors: Int
  package let touchedBytes: Int
  package let totalBytes: Int
  /// Number of tensors that were not hashed, since no patch touches them.
  package let unverifiedTensors: Int
  /// Whether the files are those the patch was made from or makes, byte for byte; otherwise they have the input's
  /// layout.
  package let isFilesExact: Bool
  /// Side files of the input that differ from the patch's and were kept.
  package let sideFilesKept: [String]
  /// What happened to the other side files.
  package let sideFileSummary: SideFileSummary
  /// Files of the input's folder that were not copied: weights in other formats.
  package let leftOut: [String]
}

extension Rebuild {
  /// Checks the input, writes the output under a temporary name, checks it, and renames it.
  /// - Parameters:
  ///   - stamp: write the provenance into the files' metadata too, which changes the files' bytes.
  ///   - full: hash the untouched tensors of the input too.
  ///   - force: replace an existing file.
  ///   - allowsOutside: copy side files that are links to places outside the input's folder.
  package func write(
    to path: String, stamp: Bool = false, full: Bool = false, force: Bool = false, allowsOutside: Bool = false
  ) throws -> RebuildResult {
    if input.isDirectory {
      try OutputCheck.directory(path)
    } else {
      try Recovery.clear(output: path)
      let inputs = input.files.map(\.input) + steps.map(\.patch.file)
      try OutputCheck.file(path, inputs: inputs, force: force)
      let beside = try Provenance.path(forModel: path, isDirectory: false)
      try OutputCheck.file(beside, inputs: inputs, force: Provenance.isOne(beside) || force)
    }
    // Computed before the work: after it, a failing system call would turn success into failure.
    let provenancePath = try Provenance.path(forModel: path, isDirectory: input.isDirectory)
    let full = try full || contradictsItself
    let side = try orChanged { try SideFileCopy(input, steps, allowsOutside: allowsOutside) }
    try checkInput(full: full)
    let touched = self.touched
    let provenance = try self.provenance(full: full)
    var (layout, isExact) = try view.layout()
    if stamp {
      layout = try layout.stamped(provenance.summary, path: path)
      isExact = false
    }
    if input.isDirectory {
      let directory = try OutputDirectory(path: path)
      let files = try writeFiles(layout.files, touched) { Path.join(directory.temporaryPath, $0) }
      for file in files { try file.commit() }
      try orChanged { try side.write(to: directory.temporaryPath, index: layout.index) }
      try provenanceFile(provenance, Path.join(directory.temporaryPath, ModelPlace.provenanceName)).commit()
      // Side files were read by name, so they must still belong to the model that was read.
      try input.requireStillThere()
      try directory.commit()
    } else {
      let files = try writeFiles(layout.files, touched, replacing: force) { _ in path }
      let beside = try provenanceFile(provenance, Provenance.path(forModel: path, isDirectory: false), replacing: true)
      try input.requireSameBytes()
      try nameTogether(files + [beside], ModelPlace(file: path), force: force)
    }
    let outputs = touched.compactMap(\.output)
    return RebuildResult(
      path: path, provenancePath: provenancePath, state: provenance.state, touchedTensors: touched.count,
      touchedBytes: outputs.reduce(0) { $0 + $1.info.byteCount },
      totalBytes: steps[steps.count - 1].outputs.reduce(0) { $0 + $1.info.byteCount },
      unverifiedTensors: provenance.unverified.count,
      isFilesExact: isExact, sideFilesKept: side.changes.kept, sideFileSummary: side.changes.summary,
      leftOut: side.leftOut)
  }

  /// If reading fails because the model was replaced meanwhile, throws the error for that: a file beside it may just be
  /// gone.
  private func orChanged<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch let error as VPatchError where error.code == .io {
      try input.requireStillThere()
      throw error
    }
  }

  /// The provenance of the result.
  /// - Parameters:
  ///   - full: whether the untouched tensors are hashed too.
  ///   - inPlace: whether the result replaces the input.
  /// - Throws: `io` where the input's provenance cannot be read: without it the model could not be reverted.
  package func provenance(full: Bool, inPlace: Bool = false) throws -> Provenance {
    let rebuilt = Set(touched.map(\.name.bytesKey))
    return Provenance(self, earlier: try Provenance.valid(of: input), inPlace: inPlace) {
      full || rebuilt.contains($0.bytesKey)
    }
  }

  /// Whether the provenance names another model or is invalid. An inconsistent provenance forces a full hash.
  var contradictsItself: Bool {
    get throws {
      do { return try Provenance.of(input).map { $0.state.root != steps[0].from } ?? false } catch let error
        as VPatchError where error.code == .invalid
      { return true }
    }
  }

  /// The provenance file, written under its temporary name.
  private func provenanceFile(
    _ provenance: Provenance, _ path: String, replacing: Bool = false
  ) throws -> OutputFile {
    let file = try OutputFile(path: path, replacing: replacing)
    try file.write(provenance.text, at: 0)
    return file
  }

  /// Renames the model file and its provenance together or not at all.
  private func nameTogether(_ files: [OutputFile], _ place: ModelPlace, force: Bool) throws {
    var replacements = PendingReplacements(in: place.folder)
    replacements.replace(with: files)
    let renames = try replacements.renames()
    // Checked at the beginning too, but another command may have written it since then.
    guard try force || (renames[0].over == nil && (renames[1].over == nil || Provenance.isOne(place.provenancePath)))
    else {
      throw Directory.exists(renames[0].over == nil ? place.provenancePath : place.path)
    }
    let journal = Journal(
      from: steps[0].from, to: steps[steps.count - 1].to, files: [], regions: [], renames: renames, removals: [])
    try JournalFile(journal, of: place, renaming: replacements.outputs).decide(place, work)
    withExtendedLifetime(replacements) {}
  }

  // MARK: Files

  /// One piece of the output.
  private enum Piece: Sendable {
    case copy(InputFile, Range<Int>, to: OutputFile, at: Int)
    case tensor(FingerprintedTensor, to: OutputFile, at: Int)

    var size: Int {
      switch self {
      case .copy(_, let range, _, _): range.count
      // Decoding and hashing cost more than copying, so these start first.
      case .tensor(let tensor, _, _): tensor.info.byteCount * 8
      }
    }
  }

  /// Writes whole files under temporary names.
  /// - Parameter replacing: whether they may replace others.
  func writeFiles(
    _ layout: [FileLayout.File], _ touched: [Touched], replacing: Bool = false, _ pathOf: (String) -> String
  ) throws -> [OutputFile] {
    let outputOf = Dictionary(
      touched.compactMap(\.output).map { ($0.info.name.bytesKey, $0) }, uniquingKeysWith: { a, _ in a })
    var files: [OutputFile] = []
    var pieces: [Piece] = []
    for file in layout {
      let name = file.name.isEmpty ? SafetensorsCheckpoint.singleName : file.name
      let header = try SafetensorsHeader(text: file.header, subject: name)
      let output = try OutputFile(path: pathOf(name), replacing: replacing)
      try output.reserve(header.fileSize)
      try output.write([UInt8](littleEndian: UInt64(file.header.count)) + file.header, at: 0)
      pieces += self.pieces(header, outputOf, output)
      files.append(output)
    }
    let planned = pieces
    work.progress.begin(
      "writing",
      total: touched.reduce(0) { $0 + ($1.output?.info.byteCount ?? 0) }
        + planned.reduce(0) {
          if case .copy(_, let range, _, _) = $1 { $0 + range.count } else { $0 }
        })
    _ = try LargestFirst.map(planned.map(\.size), threads: work.threads) { i in
      switch planned[i] {
      case .copy(let source, let range, let output, let offset):
        try output.copy(from: source, range, at: offset)
        output.beginWriteback(offset..<offset + range.count)
        work.progress.advance(range.count)
      case .tensor(let tensor, let output, let offset):
        try rebuild(tensor) { try output.write($1, at: offset + $0) }
        output.beginWriteback(offset..<offset + tensor.info.byteCount)
      }
    }
    return files
  }

  private func pieces(
    _ header: SafetensorsHeader, _ outputOf: [String: FingerprintedTensor], _ output: OutputFile
  ) -> [Piece] {
    // Large enough to be fast, small enough for two threads to share a file.
    let most = 32 << 20
    var pieces: [Piece] = []
    for entry in header.tensors where entry.info.byteCount > 0 {
      let offset = header.dataStart + entry.offset
      if let tensor = outputOf[entry.info.name.bytesKey] {
        pieces.append(.tensor(tensor, to: output, at: offset))
        continue
      }
      let stored = input.tensor(named: entry.info.name)!
      let source = input.files[stored.file].input
      var start = stored.offset
      let end = stored.offset + stored.info.byteCount
      // Adjacent pieces that stay adjacent are copied as one.
      if case .copy(let last, let range, _, let at)? = pieces.last, last === source, range.upperBound == start,
        at + range.count == offset, range.count < most
      {
        pieces[pieces.count - 1] = .copy(source, range.lowerBound..<end, to: output, at: at)
        start = end
      }
      while start < end {
        let next = min(start + most, end)
        pieces.append(.copy(source, start..<next, to: output, at: offset + start - stored.offset))
        start = next
      }
    }
    return pieces
  }
}
