import CSystem
import Glibc

/// Owner, permissions and extended attributes, copied from a file to the file that replaces it.
enum FileAttributes {
  /// The status of a file that will be replaced; nil if there is no regular file of that name.
  package static func replaced(_ path: String) throws -> stat? {
    try FileStatus.of(path, followingLinks: false).flatMap { $0.st_mode & S_IFMT == S_IFREG ? $0 : nil }
  }

  /// Gives a new file the owner and the permissions of another, so that exactly the same users can read both. Falls
  /// back to the group where the owner cannot be set.
  package static func share(_ info: stat, with descriptor: CInt) {
    if fchown(descriptor, info.st_uid, info.st_gid) != 0, fchown(descriptor, uid_t.max, info.st_gid) != 0 {
      // With another owner, the same permissions could exclude the intended users.
      return
    }
    _ = fchmod(descriptor, info.st_mode & 0o666)
  }

  /// Copies owner, permissions and extended attributes to an open file.
  /// - Throws: `io` where one of them cannot be set.
  package static func copy(_ info: stat, of path: String, to descriptor: CInt) throws {
    let own = try FileStatus.of(descriptor, path)
    if (own.st_uid, own.st_gid) != (info.st_uid, info.st_gid), fchown(descriptor, info.st_uid, info.st_gid) != 0 {
      throw VPatchError.system(
        path, "belongs to user \(info.st_uid), group \(info.st_gid); a replacement file could not",
        remedy: "run this as that user, or write to another file")
    }
    // Permissions after the owner, since chown clears some of them; before the extended attributes, since one of those
    // may be an access control list.
    guard fchmod(descriptor, info.st_mode & 0o7777) == 0 else {
      throw VPatchError.system(path, "has permissions that cannot be set on its replacement")
    }
    guard vp_copy_attributes(path, descriptor) == 0 else {
      throw VPatchError.system(
        path, "has extended attributes that cannot be set on its replacement", remedy: "write to another file")
    }
  }
}
