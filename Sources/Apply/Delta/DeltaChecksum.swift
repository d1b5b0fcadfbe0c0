import Base
import CLoaded
import CZlib

/// The kinds of checksums that a canonical delta has of each changed tensor's new bytes.
///
/// They find a wrong base and a damaged file. None of them is proof against forgery, so a patch has its own digests.
package enum DeltaChecksum: String, CaseIterable, Sendable {
  /// What ModelExpress requires and slime also reads.
  case adler32
  /// The default of slime.
  case xxh3 = "xxh3-128"

  /// - Throws: `io` where libxxhash is needed and not installed.
  func hasher() throws -> any DeltaHasher {
    switch self {
    case .adler32: Adler32()
    case .xxh3: try XXH3()
    }
  }
}

/// Computes a checksum of bytes given in order. For one thread.
protocol DeltaHasher: AnyObject {
  func update(_ bytes: UnsafeRawBufferPointer)
  /// In lower-case hexadecimal digits, as an index has it.
  func finalize() -> String
}

private final class Adler32: DeltaHasher {
  private var value = adler32(0, nil, 0)

  func update(_ bytes: UnsafeRawBufferPointer) {
    value = adler32_z(value, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
  }

  func finalize() -> String { [UInt8](bigEndian: UInt64(value), count: 4).hex }
}

/// XXH3 of 128 bits, by libxxhash.
private final class XXH3: DeltaHasher {
  private struct Functions: Sendable {
    let create: vp_xxh3_create_state
    let free: vp_xxh3_free_state
    let reset: vp_xxh3_128bits_reset
    let update: vp_xxh3_128bits_update
    let digest: vp_xxh3_128bits_digest

    static let loaded = Result {
      let library = try SystemLibrary(
        "libxxhash.so.0", package: "libxxhash0", for: "to check the xxh3-128 checksums of a canonical delta")
      return Functions(
        create: try library.function("XXH3_createState"), free: try library.function("XXH3_freeState"),
        reset: try library.function("XXH3_128bits_reset"), update: try library.function("XXH3_128bits_update"),
        digest: try library.function("XXH3_128bits_digest"))
    }
  }

  private let functions: Functions
  private let state: UnsafeMutableRawPointer

  init() throws {
    functions = try Functions.loaded.get()
    guard let state = functions.create() else { preconditionFailure("libxxhash cannot allocate") }
    self.state = state
    _ = functions.reset(state)
  }

  deinit { _ = functions.free(state) }

  func update(_ bytes: UnsafeRawBufferPointer) { _ = functions.update(state, bytes.baseAddress, bytes.count) }

  func finalize() -> String {
    let hash = functions.digest(state)
    return [UInt8](bigEndian: hash.high64, count: 8).hex + [UInt8](bigEndian: hash.low64, count: 8).hex
  }
}

extension [UInt8] {
  /// The last `count` bytes of a number, the highest first.
  fileprivate init(bigEndian value: UInt64, count: Int) {
    self = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
  }
}
