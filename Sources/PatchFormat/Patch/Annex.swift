// The annex restores files byte for byte, not only tensors (spec, section 6). It decodes to:
//
//   u32     length of the manifest
//   …       manifest: canonical JSON; "blobs" gives each blob's length and digest, the rest refers to blobs by index
//   …       the blobs, concatenated

import Base
import Checkpoints

/// The safetensors headers and the changed side files of both sides of a patch.
package struct Annex: Equatable, Sendable {
  package let base: FileLayout
  package let target: FileLayout
  /// Side files that differ between base and target, in ascending order of name.
  package let sideFiles: [SideFile]
  /// The files of the adapter that the patch was made with, if it holds all of them.
  package let adapter: AdapterFiles?

  package struct SideFile: Equatable, Sendable {
    package let name: String
    /// The contents; nil where a side does not have the file.
    package let base: [UInt8]?
    package let target: [UInt8]?
    package init(name: String, base: [UInt8]?, target: [UInt8]?) {
      self.name = name
      self.base = base
      self.target = target
    }
  }

  /// What is needed, besides the adapter's tensors, to write its two files byte for byte.
  package struct AdapterFiles: Equatable, Sendable {
    /// `adapter_config.json`
    package let config: [UInt8]
    /// The JSON text of the header of `adapter_model.safetensors`, padding included.
    package let header: [UInt8]
    /// SHA-256 of `adapter_model.safetensors`.
    package let digest: ContentDigest

    package init(config: [UInt8], header: [UInt8], digest: ContentDigest) {
      self.config = config
      self.header = header
      self.digest = digest
    }
  }

  package init(base: FileLayout, target: FileLayout, sideFiles: [SideFile], adapter: AdapterFiles? = nil) {
    self.base = base
    self.target = target
    self.adapter = adapter
    self.sideFiles = sideFiles.sorted { $0.name.precedes($1.name) }
  }

  package static let windowLog: Int32 = 27

  /// Whether a file name is allowed for a side file.
  package static func isSideFileName(_ name: String) -> Bool {
    SafetensorsCheckpoint.isValidFileName(name) && !SafetensorsCheckpoint.isSafetensorsName(name)
      && name != "vpatch.json"
      && name != SafetensorsCheckpoint.indexName
  }

  // MARK: Writing

  /// The annex in decoded form.
  package func encoded() -> [UInt8] {
    var blobs: [[UInt8]] = []
    var numbers: [ContentDigest: Int] = [:]
    func blob(_ bytes: [UInt8]) -> JSON {
      let digest = SHA256Hasher.hash(bytes)
      if let number = numbers[digest] { return JSON(number) }
      numbers[digest] = blobs.count
      blobs.append(bytes)
      return JSON(blobs.count - 1)
    }
    func layout(_ layout: FileLayout) -> JSON {
      .dictionary([
        "files": .array(layout.files.map { .dictionary(["name": .string($0.name), "header": blob($0.header)]) }),
        "index": layout.index.map(blob),
      ])
    }
    let (base, target) = (layout(base), layout(target))
    let side = sideFiles.map { file in
      JSON.dictionary(["name": .string(file.name), "base": file.base.map(blob), "target": file.target.map(blob)])
    }
    let adapter = adapter.map { files in
      JSON.dictionary([
        "config": blob(files.config), "header": blob(files.header), "sha256": .string(files.digest.hex),
      ])
    }
    let manifest = JSON.dictionary([
      "base": base, "target": target, "side": .array(side), "adapter": adapter,
      "blobs": .array(
        blobs.map { .dictionary(["length": JSON($0.count), "sha256": .string(SHA256Hasher.hash($0).hex)]) }),
    ]).canonical()
    return [UInt8](littleEndian: UInt32(manifest.count)) + manifest + blobs.joined()
  }

  // MARK: Reading

  /// Parses and checks a decoded annex (section 3.2, rule 11).
  /// - Throws: `Malformed`.
  package init(
    parsing bytes: [UInt8], for tensors: [PatchTensor], adapter tensorsOfAdapter: [AdapterTensor] = [],
    maximumValues: Int = .max
  ) throws {
    guard bytes.count >= 4 else { throw Malformed("has an annex without a manifest") }
    let length = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16 | Int(bytes[3]) << 24
    guard length <= bytes.count - 4 else { throw Malformed("has an annex without a manifest") }
    let text = Array(bytes[4..<4 + length])
    let json: JSON
    do { json = try JSON.parse(text, maximumValues: maximumValues) } catch let error as JSONError {
      throw Malformed("has an annex whose manifest has \(error.reason)")
    }
    guard json.canonical() == text else { throw Malformed("has an annex whose manifest is not in canonical form") }
    let manifest = try ObjectReader(json, of: "the manifest")
    var blobs = try Blobs(try manifest.list("blobs"), bytes[(4 + length)...])
    base = try FileLayout(parsing: try manifest.json("base"), &blobs)
    target = try FileLayout(parsing: try manifest.json("target"), &blobs)
    sideFiles = try manifest.list("side").map { entry in
      let members = try ObjectReader(entry, of: "a side file")
      let name = try members.string("name")
      guard Self.isSideFileName(name) else {
        throw Malformed("has a side file with the forbidden name \"\(name.printable)\"")
      }
      let numbers = try ["base", "target"].map { members.isPresent($0) ? try members.int($0) : nil }
      try members.finish()
      guard numbers[0] != numbers[1] else { throw Malformed("has a side file \"\(name)\" that does not differ") }
      return SideFile(
        name: name, base: try numbers[0].map { try blobs.take($0) }, target: try numbers[1].map { try blobs.take($0) })
    }
    adapter =
      try !tensorsOfAdapter.isEmpty && manifest.isPresent("adapter")
      ? AdapterFiles(parsing: try manifest.json("adapter"), &blobs) : nil
    try manifest.finish()
    for (a, b) in zip(sideFiles, sideFiles.dropFirst()) where !a.name.precedes(b.name) {
      throw Malformed("has side files out of order")
    }
    guard sideFiles.isEmpty || (base.isDirectory && target.isDirectory) else {
      throw Malformed("has side files, but a single-file checkpoint")
    }
    try blobs.finish()
    try base.check(against: tensors.compactMap { $0.base?.info }, maximumValues: maximumValues)
    try target.check(against: tensors.compactMap { $0.target?.info }, maximumValues: maximumValues)
    try adapter?.check(against: tensorsOfAdapter.map(\.tensor.info), maximumValues: maximumValues)
  }
}

/// The checked blobs of an annex.
package struct Blobs {
  /// Each blob is in memory once, even if it has several references.
  private let contents: [[UInt8]]
  private var used: Set<Int> = []

  init(_ list: [JSON], _ bytes: ArraySlice<UInt8>) throws {
    var rest = bytes
    var contents: [[UInt8]] = []
    var digests: Set<ContentDigest> = []
    for entry in list {
      let members = try ObjectReader(entry, of: "a blob")
      let length = try members.int("length")
      let digest = try members.digest("sha256")
      try members.finish()
      guard length <= rest.count else { throw Malformed("has an annex that ends within a blob") }
      let blob = rest.prefix(length)
      guard SHA256Hasher.hash(blob) == digest else {
        throw Malformed("has a damaged blob in its annex", isDamage: true)
      }
      guard digests.insert(digest).inserted else { throw Malformed("has the same blob twice in its annex") }
      contents.append(Array(blob))
      rest = rest.dropFirst(length)
    }
    guard rest.isEmpty else { throw Malformed("has extra bytes after the blobs of its annex") }
    self.contents = contents
  }

  package mutating func take(_ number: Int) throws -> [UInt8] {
    guard contents.indices.contains(number) else { throw Malformed("refers to a blob that is missing in its annex") }
    used.insert(number)
    return contents[number]
  }

  package func finish() throws {
    guard used.count == contents.count else { throw Malformed("has an unused blob in its annex") }
  }
}
