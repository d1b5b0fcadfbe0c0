import Base
import Checkpoints
import PatchFormat

/// A file that was written.
package struct ExportedFile: Sendable {
  package let name: String
  package let bytes: Int
  package let digest: ContentDigest
}

extension Patch {
  /// Writes the adapter that the patch was made from: the files that PEFT saved, byte for byte.
  /// - Parameter folder: a new folder.
  /// - Throws: `refused` for a patch that does not hold all of an adapter, or a folder that exists; `mismatch` where the
  ///   result is not the file that was taken in; `io`.
  package func exportAdapter(to folder: String) throws -> [ExportedFile] {
    guard let files = annex.adapter else {
      let what =
        header.adapter.isEmpty ? "holds no adapter" : "holds only the factors of its adapter that make it smaller"
      throw VPatchError(
        .refused, label, what,
        remedy: "create it again from its base and the adapter: vpatch create BASE ADAPTER -o FILE --keep-adapter")
    }
    try OutputCheck.directory(folder)
    let directory = try OutputDirectory(path: folder)
    let config = try OutputFile(path: Path.join(directory.temporaryPath, PEFTConfig.fileName))
    try config.write(files.config, at: 0)
    let weights = try OutputFile(path: Path.join(directory.temporaryPath, PEFTAdapter.weightsName))
    let size = try write(files, to: weights)
    for file in [config, weights] { try file.commit() }
    try directory.commit()
    return [
      ExportedFile(name: PEFTConfig.fileName, bytes: files.config.count, digest: SHA256Hasher.hash(files.config)),
      ExportedFile(name: PEFTAdapter.weightsName, bytes: size, digest: files.digest),
    ]
  }

  /// - Returns: the file's size in bytes.
  private func write(_ files: Annex.AdapterFiles, to output: OutputFile) throws -> Int {
    let hasher = SHA256Hasher()
    var position = 0
    func append(_ bytes: UnsafeRawBufferPointer) throws {
      try output.write(bytes, at: position)
      hasher.update(bytes)
      position += bytes.count
    }
    try ([UInt8](littleEndian: UInt64(files.header.count)) + files.header).withUnsafeBytes(append)
    let entries = try SafetensorsHeader(text: files.header, subject: label).tensors.sorted { $0.offset < $1.offset }
    for entry in entries {
      guard let tensor = header.adapter.element(named: entry.info.name, by: \.name) else {
        preconditionFailure("the annex agrees with the adapter's tensors")
      }
      try forEachChunk(of: tensor, append)
    }
    guard hasher.finalize() == files.digest else {
      throw VPatchError(
        .mismatch, label, "does not reproduce the adapter's file \(PEFTAdapter.weightsName)",
        remedy: "this is a bug in vpatch: please report it")
    }
    return position
  }
}
