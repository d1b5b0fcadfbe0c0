import Base
import Glibc
import Synchronization

/// Features of images on disk, so that a frozen tower sees each image once, and not once in each epoch.
///
/// A file is named after all that its numbers depend on, and carries a digest of itself: one that is damaged counts as
/// missing. Several processes may use a folder at once: a file has its name only when it is whole, and who reads one
/// that another deletes reads on. What was not used for longest goes first when there is too much.
package final class FeatureCache: Sendable {
  package let folder: String
  /// Bytes that its files may take. With several processes at work it can be passed by a sixteenth for each.
  package let limit: Int
  private let state = Mutex(State())
  private let failed: @Sendable (VPatchError) -> Void

  private struct State {
    /// Bytes written since the folder was last looked through; at first as if it were full.
    var written = Int.max / 2
    var hasFailed = false
  }

  private static let suffix = ".features"
  private static let magic = Array("vpatch.features.1\n".utf8)

  /// - Parameters:
  ///   - folder: made when the first features are kept.
  ///   - limit: in bytes.
  ///   - failed: is told, once, why nothing is kept any more: the work goes on without.
  package init(folder: String, limit: Int, failed: @escaping @Sendable (VPatchError) -> Void = { _ in }) {
    self.folder = folder
    self.limit = limit
    self.failed = failed
  }

  /// `vpatch/features` in the XDG cache folder, which is `~/.cache` by default.
  /// - Parameter variable: of the environment.
  /// - Throws: `refused` where the environment names no home.
  package static func defaultFolder(
    variable: (String) -> String? = { getenv($0).map { String(cString: $0) } }
  ) throws -> String {
    // The XDG specification: a relative path is to be ignored.
    if let cache = variable("XDG_CACHE_HOME"), cache.utf8.first == UInt8(ascii: "/") {
      return Path.join(cache, "vpatch/features")
    }
    guard let home = variable("HOME"), !home.isEmpty else {
      throw VPatchError(
        .refused, nil, "there is no home folder to keep the features of images in", remedy: "set XDG_CACHE_HOME")
    }
    return Path.join(home, ".cache/vpatch/features")
  }

  var hasFailed: Bool { state.withLock { $0.hasFailed } }

  /// The numbers kept under a key; nil where there are none, not as many, or damaged ones.
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
    // Last used now; where that cannot be noted it only goes earlier.
    utimes(path, nil)
    let values = Floats(count)
    bytes.withUnsafeBytes { _ = memcpy(values.start, $0.baseAddress! + head, 4 * count) }
    return values
  }

  /// Keeps numbers under a key, and makes room for them.
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

  /// Of the numbers and of what they are: a file under another's name is none.
  private static func digest(_ key: ContentDigest, _ numbers: UnsafeRawBufferPointer) -> ContentDigest {
    let hasher = SHA256Hasher()
    hasher.update(magic)
    hasher.update(key.bytes)
    hasher.update(numbers)
    return hasher.finalize()
  }

  private func path(_ key: ContentDigest) -> String { Path.join(folder, key.hex + Self.suffix) }

  /// Looks through the folder when enough was written since the last time, and deletes what was not used for longest.
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
          // What a killed process left. Nobody writes one for as long.
          try Directory.remove(file.path)
        }
      }
      files.sort { ($0.used.tv_sec, $0.used.tv_nsec) < ($1.used.tv_sec, $1.used.tv_nsec) }
      // What is written until the next look has to fit, too.
      var excess = files.reduce(0) { $0 + $1.size } + max(bytes, limit / 16) - limit
      for file in files where excess > 0 {
        try Directory.remove(file.path)
        excess -= file.size
      }
    }
  }

  /// Nothing but what has the form of its own names is ever deleted.
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
