import Base
import Glibc

/// Disk space reserved by a store, so that patches can be deleted on a full disk: a deletion must first be recorded in
/// the catalogue.
struct Reserve {
  static let name = "reserve"
  private static let size = 1 << 20
  /// Bytes left free for other programs if the reserve cannot be allocated in full.
  private static let rest = 128 << 10

  private let store: String
  private var path: String { Path.join(store, Self.name) }

  init(store: String) { self.store = store }

  /// Allocates the reserve, or as much as is available. A full disk is no error: the next change tries again.
  func take() {
    var info = stat()
    let has = lstat(path, &info) == 0 ? Int(info.st_size) : 0
    guard has < Self.size, let free, has + free - Self.rest > has else { return }
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { return }
    posix_fallocate(descriptor, 0, off_t(min(Self.size, has + free - Self.rest)))
    close(descriptor)
  }

  /// Frees the reserve.
  /// - Returns: whether there was one.
  func release() -> Bool { unlink(path) == 0 }

  /// Whether the store's disk has so little free space that this explains a failed write.
  var isNeeded: Bool { free.map { $0 < Self.size } ?? false }

  var isOnReadOnlyDisk: Bool {
    var info = statvfs()
    return statvfs(store, &info) == 0 && info.f_flag & 1 != 0  // ST_RDONLY
  }

  /// Free bytes on the store's disk.
  private var free: Int? {
    var info = statvfs()
    return statvfs(store, &info) == 0 ? Int(info.f_bavail) * Int(info.f_frsize) : nil
  }
}
