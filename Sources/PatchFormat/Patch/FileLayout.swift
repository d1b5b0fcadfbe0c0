import Base
import Checkpoints

/// How a checkpoint's tensors are placed in files: what is needed, besides the tensors, to write the files byte for
/// byte.
package struct FileLayout: Equatable, Sendable {
  /// In ascending order of name. A single-file checkpoint has one file named "".
  package let files: [File]
  /// `model.safetensors.index.json`
  package let index: [UInt8]?

  package struct File: Equatable, Sendable {
    package let name: String
    /// The header's JSON text with padding.
    package let header: [UInt8]
    package init(name: String, header: [UInt8]) {
      self.name = name
      self.header = header
    }
  }

  package init(files: [File], index: [UInt8]?) {
    self.files = files
    self.index = index
  }

  package init(of checkpoint: SafetensorsCheckpoint) {
    files = checkpoint.files.map { File(name: $0.name, header: $0.header.text) }
    index = checkpoint.index
  }

  package var isDirectory: Bool { files.first?.name != "" }

  /// Whether both have the same safetensors files. The name of a single file does not matter.
  package func hasSameFiles(as other: FileLayout) -> Bool {
    files.map(\.header) == other.files.map(\.header)
      && (isDirectory != other.isDirectory ? files.count == 1 : files.map(\.name) == other.files.map(\.name))
  }

  /// - Throws: `Malformed`.
  package init(parsing json: JSON, _ blobs: inout Blobs) throws {
    let members = try ObjectReader(json, of: "a layout")
    index = members.isPresent("index") ? try blobs.take(try members.int("index")) : nil
    files = try members.list("files").map { entry in
      let file = try ObjectReader(entry, of: "a file")
      let name = try file.string("name")
      let header = try blobs.take(try file.int("header"))
      try file.finish()
      return File(name: name, header: header)
    }
    try members.finish()
    guard let first = files.first else { throw Malformed("has a layout without files") }
    if files.count == 1, first.name.isEmpty {
      guard index == nil else { throw Malformed("has an index for a single-file checkpoint") }
      return
    }
    for file in files
    where !SafetensorsCheckpoint.isValidFileName(file.name) || !SafetensorsCheckpoint.isSafetensorsName(file.name) {
      throw Malformed("has a file with the forbidden name \"\(file.name.printable)\"")
    }
    for (a, b) in zip(files, files.dropFirst()) where !a.name.precedes(b.name) {
      throw Malformed("has files out of order")
    }
    guard index != nil || (files.count == 1 && first.name == SafetensorsCheckpoint.singleName) else {
      throw Malformed("has several files and no index")
    }
  }

  /// Checks that the headers hold exactly these tensors, and that the index places them correctly.
  /// - Throws: `Malformed`.
  package func check(against tensors: [TensorInfo], maximumValues: Int) throws {
    var placed: [String: String] = [:]
    var found: [TensorInfo] = []
    do {
      // Files may share a blob. Each is parsed once; otherwise a small patch could cause days of work.
      var withoutTensors: Set<UnsafeRawPointer?> = []
      for file in files {
        let blob = file.header.withUnsafeBytes { $0.baseAddress }
        if withoutTensors.contains(blob) { continue }
        let entries = try SafetensorsHeader(
          text: file.header, dataCount: nil, subject: "its annex", maximumValues: maximumValues
        ).tensors
        if entries.isEmpty { withoutTensors.insert(blob) }
        for entry in entries {
          found.append(entry.info)
          guard placed.updateValue(file.name, forKey: entry.info.name.bytesKey) == nil else {
            throw Malformed("has the same tensor twice in the headers of its annex")
          }
        }
      }
      if let index {
        guard try SafetensorsCheckpoint.weightMap(index, path: "its annex", maximumValues: maximumValues) == placed
        else {
          throw Malformed("has an index that does not match the places of its tensors")
        }
      }
    } catch let error as VPatchError {
      throw Malformed("has an annex with an invalid header or index: \(error.reason)")
    }
    guard found.sorted(by: { $0.name.precedes($1.name) }) == tensors else {
      throw Malformed("has headers in its annex that do not match its tensors")
    }
  }
}
