// The journal of a change in place, beside the model (spec/journal.md):
//
//   0   8 bytes  89 56 50 4A 0D 0A 1A 0A        24  u64       length of the payload, P
//   8   u16      version = 1                    32  32 bytes  SHA-256 of bytes 0 … 31 and the header
//   10  6 bytes  zero                           64  H bytes   header: canonical JSON
//   16  u64      length of the header, H        64+H          payload: the regions' new bytes, concatenated
//
// The file ends there. It gets its final name when it is complete and durable; from then on it counts.

import Base
import Checkpoints

/// A change of a model in place that is committed and may be half done.
package struct Journal: Sendable, Equatable {
  /// The roots of the model before and after.
  package let from: ContentDigest
  package let to: ContentDigest
  /// The files that regions are written into, in ascending order of name.
  package let files: [File]
  /// In ascending order of file and offset, without overlap.
  package let regions: [Region]
  package let renames: [Rename]
  package let removals: [Removal]

  /// A file of the model, by its name in the model's folder.
  package struct File: Sendable, Equatable {
    package let name: String
    package let identity: LastingIdentity
    package init(name: String, identity: LastingIdentity) {
      self.name = name
      self.identity = identity
    }
  }

  /// A whole tensor: its place, and its new fingerprint.
  package struct Region: Sendable, Equatable {
    /// Index in `files`.
    package let file: Int
    package let offset: Int
    package let tensor: FingerprintedTensor
    package init(file: Int, offset: Int, tensor: FingerprintedTensor) {
      self.file = file
      self.offset = offset
      self.tensor = tensor
    }

    package var range: Range<Int> { offset..<offset + tensor.info.byteCount }
  }

  /// A finished file that gets its final name.
  package struct Rename: Sendable, Equatable {
    /// Its temporary name.
    package let from: String
    package let to: String
    package let identity: LastingIdentity
    /// Identity of the file that has the name before; nil where there is none.
    package let over: LastingIdentity?
    package init(from: String, to: String, identity: LastingIdentity, over: LastingIdentity?) {
      self.from = from
      self.to = to
      self.identity = identity
      self.over = over
    }
  }

  /// A file that is removed.
  package struct Removal: Sendable, Equatable {
    package let name: String
    package let identity: LastingIdentity
    package init(name: String, identity: LastingIdentity) {
      self.name = name
      self.identity = identity
    }
  }

  package init(
    from: ContentDigest, to: ContentDigest, files: [File], regions: [Region], renames: [Rename], removals: [Removal]
  ) {
    self.from = from
    self.to = to
    self.files = files
    self.regions = regions
    self.renames = renames
    self.removals = removals
  }

  /// Whether a change of the model at a path is running or was interrupted.
  package static func isPending(_ modelPath: String) throws -> Bool {
    try PathKind.of(ModelPlace(modelPath).journalPath, followingLinks: false) != .missing
  }

  static let preambleSize = 64
  package static let magic: [UInt8] = [0x89, 0x56, 0x50, 0x4A, 0x0D, 0x0A, 0x1A, 0x0A]
  package static let version: UInt16 = 1
  static let maximumHeader = 64 << 20

  /// Total bytes of all regions. Within `Limits.number`: parsing checks it, and regions that are written belong to one
  /// checkpoint.
  package var payloadBytes: Int { regions.reduce(0) { $0 + $1.range.count } }

  /// The part before the payload.
  package func head() -> [UInt8] {
    let header = encoded()
    let start =
      Self.magic + [UInt8](littleEndian: Self.version) + [UInt8](repeating: 0, count: 6)
      + [UInt8](littleEndian: UInt64(header.count)) + [UInt8](littleEndian: UInt64(payloadBytes))
    return start + SHA256Hasher.hash(start + header).bytes + header
  }

  /// The offset of each region's new bytes, in a journal whose payload begins at `start`.
  package func payloadOffsets(from start: Int) -> [Int] {
    var offset = start
    return regions.map { region in
      defer { offset += region.range.count }
      return offset
    }
  }

  private func encoded() -> [UInt8] {
    JSON.dictionary([
      "from": .string(from.hex), "to": .string(to.hex),
      "files": .array(
        files.map { .dictionary(["name": .string($0.name), "identity": .string($0.identity.description)]) }),
      "regions": .array(
        regions.map { region in
          let info = region.tensor.info
          return .dictionary([
            "file": JSON(region.file), "offset": JSON(region.offset), "length": JSON(info.byteCount),
            "tensor": .string(info.name), "dtype": .string(info.dtype.name),
            "shape": .array(info.shape.map { JSON($0) }), "fingerprint": .string(region.tensor.fingerprint.hex),
          ])
        }),
      "renames": .array(
        renames.map {
          .dictionary([
            "from": .string($0.from), "to": .string($0.to), "identity": .string($0.identity.description),
            "over": ($0.over?.description).map { .string($0) },
          ])
        }),
      "removals": .array(
        removals.map { .dictionary(["name": .string($0.name), "identity": .string($0.identity.description)]) }),
    ]).canonical()
  }
}
