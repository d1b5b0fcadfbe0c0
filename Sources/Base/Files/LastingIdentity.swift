import CSystem
import Glibc

/// Which file this is, in a form that can be written down: unlike `FileIdentity` it holds over a restart of the
/// machine, which may number its devices anew. A file put in another's place differs by the time of its making even
/// where the file system hands out the same inode again.
package struct LastingIdentity: Hashable, Sendable, CustomStringConvertible {
  /// In decimal: inode, size in bytes, time of making in seconds and nanoseconds (zero where the file system keeps
  /// none), joined by colons.
  package let description: String
  package let size: Int

  /// Of what has a name; nil where nothing has.
  /// - Throws: `io` where the system does not say.
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

  /// Fails where the text does not have the form.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let isNumbers = parts.allSatisfy { part in !part.isEmpty && part.utf8.allSatisfy { (48...57).contains($0) } }
    guard parts.count == 4, isNumbers, let size = Int(parts[1])
    else { return nil }
    self.size = size
    description = text
  }
}
