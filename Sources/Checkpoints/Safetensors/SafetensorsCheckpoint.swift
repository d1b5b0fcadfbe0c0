// A checkpoint is one .safetensors file, or a Hugging Face directory: the shards that model.safetensors.index.json
// names, else model.safetensors. Other .safetensors files beside them are not part of it. If a directory has both,
// transformers loads model.safetensors: see Checkpoint+SavedTwice.swift.

import Base

/// Named tensors in one file or a directory, opened for reading.
package struct SafetensorsCheckpoint: Checkpoint {
  package let path: String
  package let isDirectory: Bool
  /// One file, or the shards in ascending order of name.
  package let files: [File]
  /// The text of `model.safetensors.index.json`, if that names the shards.
  package let index: [UInt8]?
  /// In ascending order of the names' bytes.
  package let tensors: [CheckpointTensor]
  /// Size of all tensors in bytes, at most 2⁵³ − 1.
  package let totalBytes: Int
  /// The provenance file beside the model, opened at the same time.
  package let provenance: InputFile?
  package let indexFile: InputFile?
  /// Whether the directory has both model.safetensors and an index.
  package let isSavedTwice: Bool

  package struct File: Sendable {
    /// The name in its directory; empty for a checkpoint that is a single file.
    package let name: String
    package let input: InputFile
    package let header: SafetensorsHeader
  }

  package static let indexName = "model.safetensors.index.json"
  package static let singleName = "model.safetensors"

  /// Opens a file or a directory and checks its headers and index; reads no tensor. The files are locked against
  /// changes in place while it is open. Waits for a running switch.
  /// - Parameter reading: which files of a directory that was saved twice are the model.
  /// - Throws: `refused` for a model with an unfinished change in place, or one that was saved twice where that
  ///   matters; `invalid`; `io`.
  package init(path: String, reading: Reading = .specified, patience: Duration = Patience.usual) throws {
    self = try Patience.wait(patience) { try SafetensorsCheckpoint(opening: path, reading) }
    if reading == .unambiguous, isSavedTwice { try requireSameAsSingle() }
  }

  /// - Throws: `Busy` where a switch is running, or finished while the files were opened one by one.
  private init(opening path: String, _ reading: Reading) throws {
    try Self.requireFinished(path)
    switch try PathKind.of(path) {
    case .missing:
      throw VPatchError(.io, path, "does not exist", remedy: "give a .safetensors file or a model directory")
    case .directory: try self.init(directory: path, reading)
    default: try self.init(path: path, isDirectory: false, files: [Self.open(path, "")], index: nil)
    }
    try requireOneMoment()
  }

  private init(directory path: String, _ reading: Reading) throws {
    let indexPath = Path.join(path, Self.indexName)
    let single = Path.join(path, Self.singleName)
    let (hasIndex, hasSingle) = (try PathKind.of(indexPath) != .missing, try PathKind.of(single) != .missing)
    if hasIndex, hasSingle, !Self.isOfSingle(indexPath) {
      self = try Self.savedTwice(path) {
        try reading == .transformers
          ? SafetensorsCheckpoint(single: single, of: path, isSavedTwice: true)
          : SafetensorsCheckpoint(index: indexPath, of: path, reading, isSavedTwice: true)
      }
      return
    }
    guard hasIndex else {
      guard hasSingle else {
        if let other = try OtherForm.of(folder: path) { throw other.error(path) }
        let others = try Path.entries(of: path).filter(Self.isSafetensorsName)
        throw VPatchError(
          .invalid, path, "is a directory without \(Self.indexName) and without \(Self.singleName)",
          remedy: others.isEmpty
            ? "give a model in safetensors form" : "to take one file alone, name it: \(Path.join(path, others[0]))")
      }
      try self.init(single: single, of: path, isSavedTwice: false)
      return
    }
    try self.init(index: indexPath, of: path, reading, isSavedTwice: false)
  }

  private init(single: String, of path: String, isSavedTwice: Bool) throws {
    try Self.requireFinished(single)
    try self.init(
      path: path, isDirectory: true, files: [Self.open(single, Self.singleName)], index: nil,
      isSavedTwice: isSavedTwice)
  }

  private init(index indexPath: String, of path: String, _ reading: Reading, isSavedTwice: Bool) throws {
    let index = try InputFile(path: indexPath)
    let text = try index.contents(limit: SafetensorsHeader.maximumLength)
    if reading != .canonicalDelta, Self.isOfDelta(index: text) { throw Self.isDelta(path) }
    let weightMap = try Self.weightMap(text, path: indexPath)
    let files = try Set(weightMap.values).sorted { $0.precedes($1) }.map { name in
      let shard = Path.join(path, name)
      try Self.requireFinished(shard)
      do { return try Self.open(shard, name) } catch let error as VPatchError where error.code == .io {
        // A switch by rename may have replaced the model just now.
        guard try index.isUnchanged() else { throw Busy(InputFile.changed(indexPath)) }
        try Self.requireFinished(path)
        throw VPatchError(
          .io, indexPath, "names the shard \"\(name.printable)\", which \(error.reason)",
          remedy: "download the missing shard")
      }
    }
    try self.init(path: path, isDirectory: true, files: files, index: (index, text), isSavedTwice: isSavedTwice)
    for tensor in tensors where weightMap[tensor.name.bytesKey] != files[tensor.file].name {
      throw VPatchError(
        .invalid, indexPath,
        "does not place the tensor \"\(tensor.name.printable)\" in \"\(files[tensor.file].name)\", which holds it")
    }
    guard tensors.count == weightMap.count else {
      let held = Set(tensors.map(\.name.bytesKey))
      let missing = weightMap.keys.filter { !held.contains($0) }.sorted().first ?? ""
      throw VPatchError(.invalid, indexPath, "names the tensor \"\(missing.printable)\", which its shard does not hold")
    }
  }

  private init(
    path: String, isDirectory: Bool, files: [File], index: (file: InputFile, text: [UInt8])?,
    isSavedTwice: Bool = false
  ) throws {
    self.isSavedTwice = isSavedTwice
    self.path = path
    self.isDirectory = isDirectory
    self.files = files
    self.index = index?.text
    indexFile = index?.file
    provenance = try Self.provenance(of: path)
    tensors = files.enumerated().flatMap { i, file in
      file.header.tensors.map { CheckpointTensor(info: $0.info, file: i, offset: file.header.dataStart + $0.offset) }
    }.sorted { $0.name.precedes($1.name) }
    // Each header obeys the limit, but a hundred sparse shards together may exceed it.
    guard let totalBytes = tensors.lazy.map(\.info.byteCount).sumWithinLimits() else {
      throw VPatchError(.invalid, path, "has tensors of more than \(Limits.number) bytes together")
    }
    self.totalBytes = totalBytes
    for (a, b) in zip(tensors, tensors.dropFirst()) where a.name.isSame(as: b.name) {
      throw VPatchError(
        .invalid, path,
        "holds the tensor \"\(a.name.printable)\" twice, in \"\(files[a.file].name)\" and \"\(files[b.file].name)\"")
    }
  }

  /// Maps tensor names (as `bytesKey`) to shards, from an index file.
  /// - Throws: `invalid`, also for shard names that lead out of the directory.
  package static func weightMap(_ text: [UInt8], path: String, maximumValues: Int = .max) throws -> [String: String] {
    let json: JSON
    do { json = try JSON.parse(text, maximumValues: maximumValues) } catch let error as JSONError {
      throw VPatchError(.invalid, path, "is not valid JSON: \(error.reason)")
    }
    guard let members = json["weight_map"]?.object, !members.isEmpty else {
      throw VPatchError(.invalid, path, "has no weight_map")
    }
    var map: [String: String] = [:]
    for member in members {
      guard let shard = member.value.string else {
        throw VPatchError(.invalid, path, "names no shard for the tensor \"\(member.key.printable)\"")
      }
      guard isValidFileName(shard) else {
        throw VPatchError(
          .invalid, path, "names the shard \"\(shard.printable)\", which is not a plain file name in this directory")
      }
      map[member.key.bytesKey] = shard
    }
    return map
  }

  /// Whether a file name stays in its directory (spec, section 1).
  package static func isValidFileName(_ name: String) -> Bool {
    (1...255).contains(name.utf8.count) && name != "." && name != ".."
      && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 < 0x20 }
  }

  /// Compares bytes: `hasSuffix` compares characters, and a combining mark before the dot would join it.
  package static func isSafetensorsName(_ name: String) -> Bool {
    name.utf8.suffix(12).elementsEqual(".safetensors".utf8)
  }

  package var inputs: [InputFile] { files.map(\.input) }

  package func source(of tensor: CheckpointTensor) -> any TensorSource { StoredTensor(tensor, in: self) }
}
