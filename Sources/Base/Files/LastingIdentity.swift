import CSystem
import Glibc

/// A file's identity in a form that can be written down. Unlike `FileIdentity` it survives a restart of the machine,
/// which may renumber devices. The creation time tells a replacement from the original even where the file system
/// reuses the inode.
package struct LastingIdentity: Hashable, Sendable, CustomStringConvertible {
  /// In decimal, joined by colons: inode, size in bytes, creation time in seconds and nanoseconds (zero where the file
  /// system records none).
  package let description: String
  package let size: Int

  /// The identity of the file at a path; nil if there is none.
  /// - Throws: `io` where it cannot be examined.
  package static func of(_ path: String, followingLinks: Bool) throws -> LastingIdentity? {
    guard let info = try FileStatus.of(path, followingLinks: followingLinks) else { return nil }
    var seconds: Int64 = 0
    var nanoseconds: UInt32 = 0
    while vp_birth(path, followingLinks ? 1 : 0, &seconds, &nanoseconds) != 0 {
      if errno == EINTR { continue }
      if errno == ENOENT { return nil }
      throw VPatchError.system(path, "cannot be examined")
    }
    let size = Int(info.st_size)
    return LastingIdentity(size: size, description: "\(info.st_ino):\(size):\(seconds):\(nanoseconds)")
  }

  private init(size: Int, description: String) {
    self.size = size
    self.description = description
  }

  /// Nil where the text does not have that form.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let isNumbers = parts.allSatisfy { part in !part.isEmpty && part.utf8.allSatisfy { (48...57).contains($0) } }
    guard parts.count == 4, isNumbers, let size = Int(parts[1])
    else { return nil }
    self.size = size
    description = text
  }
}
