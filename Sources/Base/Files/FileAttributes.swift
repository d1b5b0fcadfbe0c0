import CSystem
import Glibc

/// Owner, permissions and extended attributes: what a file keeps that is replaced by another.
enum FileAttributes {
  /// What is known of a file that is to be replaced; nil where no regular file has that name.
  package static func replaced(_ path: String) throws -> stat? {
    try FileStatus.of(path, followingLinks: false).flatMap { $0.st_mode & S_IFMT == S_IFREG ? $0 : nil }
  }

  /// Gives a new file the owner and the permissions of another, so that who may read that one may read it, and nobody
  /// else. Where the owner cannot be given, the group is.
  package static func share(_ info: stat, with descriptor: CInt) {
    if fchown(descriptor, info.st_uid, info.st_gid) != 0, fchown(descriptor, uid_t.max, info.st_gid) != 0 {
      // Permissions that were meant for others would shut those out.
      return
    }
    _ = fchmod(descriptor, info.st_mode & 0o666)
  }

  /// Gives an open file the attributes of another.
  /// - Throws: `io` where it cannot have them.
  package static func copy(_ info: stat, of path: String, to descriptor: CInt) throws {
    let own = try FileStatus.of(descriptor, path)
    if (own.st_uid, own.st_gid) != (info.st_uid, info.st_gid), fchown(descriptor, info.st_uid, info.st_gid) != 0 {
      throw VPatchError.system(
        path, "belongs to user \(info.st_uid), group \(info.st_gid), which a file in its place could not",
        remedy: "run this as that user, or write to another file")
    }
    // After the owner: a change of that takes some permissions away. Before the attributes, of which one may be a list of
    // more permissions.
    guard fchmod(descriptor, info.st_mode & 0o7777) == 0 else {
      throw VPatchError.system(path, "has permissions that a file in its place cannot have")
    }
    guard vp_copy_attributes(path, descriptor) == 0 else {
      throw VPatchError.system(
        path, "has extended attributes that a file in its place cannot have", remedy: "write to another file")
    }
  }
}
