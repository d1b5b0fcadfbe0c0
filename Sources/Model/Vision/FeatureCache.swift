import Base
import Glibc
import Synchronization

/// Disk cache of image features, so that a frozen tower processes each image once instead of once per epoch.
///
/// A file is named after everything that its numbers depend on, and contains a digest of itself: a damaged file counts
/// as missing. Several processes may use a folder at once: a file gets its name only when complete, and a reader of a
/// file that another process deletes can read on. When space is needed, the least recently used files are deleted
/// first.
package final class FeatureCache: Sendable {
  package let folder: String
  /// Maximum bytes of its files. Each concurrent process may exceed it by a sixteenth.
  package let limit: Int
  private let state = Mutex(State())
  private let failed: @Sendable (VPatchError) -> Void

  private struct State {
    /// Bytes written since the last scan of the folder; at first as if it were full.
    var written = Int.max / 2
    var hasFailed = false
  }

  private static let suffix = ".features"
  private static let magic = Array("vpatch.features.1\n".utf8)

  /// - Parameters:
  ///   - folder: created when the first features are stored.
  ///   - limit: in bytes.
  ///   - failed: called once, with the reason, if features can no longer be stored; the work continues without.
  package init(folder: String, limit: Int, failed: @escaping @Sendable (VPatchError) -> Void = { _ in }) {
    self.folder = folder
    self.limit = limit
    self.failed = failed
  }

  /// `vpatch/features` in the XDG cache folder, which is `~/.cache` by default.
  /// - Parameter variable: reads an environment variable.
  /// - Throws: `refused` if the environment has no home folder.
  package static func defaultFolder(
    variable: (String) -> String? = { getenv($0).map { String(cString: $0) } }
  ) throws -> String {
    // XDG specification: relative paths are ignored.
    if let cache = variable("XDG_CACHE_HOME"), cache.utf8.first == UInt8(ascii: "/") {
      return Path.join(cache, "vpatch/features")
    }
    guard let home = variable("HOME"), !home.isEmpty else {
      throw VPatchError(
        .refused, nil, "there is no home folder for the cache of image features", remedy: "set XDG_CACHE_HOME")
    }
    return Path.join(home, ".cache/vpatch/features")
  }

  var hasFailed: Bool { state.withLock { $0.hasFailed } }

  /// The numbers stored under a key; nil if they are missing, damaged, or of another count.
  func values(_ key: ContentDigest, count: Int) -> Floats? {
    let path = path(key)
    let head = Self.magic.count
    guard let bytes = try? InputFile.contents(of: path, limit: head + 4 * count + ContentDigest.byteCount),
      bytes.count == head + 4 * count + ContentDigest.byteCount,
      bytes.starts(with: Self.magic)
    else { return nil }
    let digest = bytes.withUnsafeBytes {
      Self.digest(key, UnsafeRawBufferPointer(rebasing: $0[head..<head + 4 * count]))
    }
    guard digest.bytes.elementsEqual(bytes.suffix(ContentDigest.byteCount)) else { return nil }
    // Marks the file as last used now; if that fails, it is deleted earlier.
    utimes(path, nil)
    let values = Floats(count)
    bytes.withUnsafeBytes { _ = memcpy(values.start, $0.baseAddress! + head, 4 * count) }
    return values
  }

  /// Stores numbers under a key, and deletes others to make space.
  func keep(_ values: Floats, as key: ContentDigest) {
    guard !hasFailed else { return }
    do {
      let bytes = Self.magic.count + 4 * values.count + ContentDigest.byteCount
      guard bytes <= limit else { return }
      try Directory.make(folder)
      try makeRoom(for: bytes)
      let file = try OutputFile(path: path(key), replacing: true)
      let numbers = UnsafeRawBufferPointer(start: values.start, count: 4 * values.count)
      try file.write(Self.magic, at: 0)
      try file.write(numbers, at: Self.magic.count)
      try file.write(Self.digest(key, numbers).bytes, at: Self.magic.count + numbers.count)
      try file.commit()
    } catch {
      let isFirst = state.withLock { state in
        defer { state.hasFailed = true }
        return !state.hasFailed
      }
      if isFirst { failed(error as? VPatchError ?? VPatchError(.io, folder, "\(error)")) }
    }
  }

  /// Digest of the numbers and their key: a file under another file's name is invalid.
  private static func digest(_ key: ContentDigest, _ numbers: UnsafeRawBufferPointer) -> ContentDigest {
    let hasher = SHA256Hasher()
    hasher.update(magic)
    hasher.update(key.bytes)
    hasher.update(numbers)
    return hasher.finalize()
  }

  private func path(_ key: ContentDigest) -> String { Path.join(folder, key.hex + Self.suffix) }

  /// Scans the folder if enough was written since the last scan, and deletes the least recently used files.
  private func makeRoom(for bytes: Int) throws {
    try state.withLock { state in
      state.written += bytes
      guard state.written > limit / 16 else { return }
      state.written = bytes
      let day = time(nil) - 86_400
      var files: [File] = []
      for file in try Path.entries(of: folder).compactMap({ File(folder, $0) }) {
        if Self.isFeatures(Path.name(file.path)) {
          files.append(file)
        } else if Self.isTemporary(Path.name(file.path)), file.used.tv_sec < day {
          // Left by a killed process: no write takes this long.
          try Directory.remove(file.path)
        }
      }
      files.sort { ($0.used.tv_sec, $0.used.tv_nsec) < ($1.used.tv_sec, $1.used.tv_nsec) }
      // Reserves space for what is written before the next scan.
      var excess = files.reduce(0) { $0 + $1.size } + max(bytes, limit / 16) - limit
      for file in files where excess > 0 {
        try Directory.remove(file.path)
        excess -= file.size
      }
    }
  }

  /// Only files whose names have the cache's own form are ever deleted.
  private static func isFeatures(_ name: String) -> Bool {
    name.hasSuffix(suffix) && ContentDigest(hex: String(name.dropLast(suffix.count))) != nil
  }

  private static func isTemporary(_ name: String) -> Bool {
    TemporaryFiles.isTemporary(name) && isFeatures(String(name.dropFirst().prefix(64 + suffix.count)))
  }

  private struct File {
    let path: String
    let size: Int
    let used: timespec

    init?(_ folder: String, _ name: String) {
      path = Path.join(folder, name)
      var info = stat()
      // Another process may just have deleted it.
      guard stat(path, &info) == 0 else { return nil }
      (size, used) = (Int(info.st_size), info.st_mtim)
    }
  }
}
