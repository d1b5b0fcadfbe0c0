import Base
import Glibc

/// Space that a store keeps, so that something can be deleted from it when the disk is full: also a deletion is written
/// down before it is done.
struct Reserve {
  static let name = "reserve"
  private static let size = 1 << 20
  /// What is left to others where not all of it can be had.
  private static let rest = 128 << 10

  private let store: String
  private var path: String { Path.join(store, Self.name) }

  init(store: String) { self.store = store }

  /// Takes the space, or what there is of it. A disk without room has none to take, and that is no error: it is tried
  /// again with the next change.
  func take() {
    var info = stat()
    let has = lstat(path, &info) == 0 ? Int(info.st_size) : 0
    guard has < Self.size, let free, has + free - Self.rest > has else { return }
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { return }
    posix_fallocate(descriptor, 0, off_t(min(Self.size, has + free - Self.rest)))
    close(descriptor)
  }

  /// Gives the space free.
  /// - Returns: whether there was any.
  func release() -> Bool { unlink(path) == 0 }

  /// Whether the disk of the store has so little space that this is why something could not be written.
  var isNeeded: Bool { free.map { $0 < Self.size } ?? false }

  var isOnReadOnlyDisk: Bool {
    var info = statvfs()
    return statvfs(store, &info) == 0 && info.f_flag & 1 != 0  // ST_RDONLY
  }

  /// Bytes that are free on the disk of the store.
  private var free: Int? {
    var info = statvfs()
    return statvfs(store, &info) == 0 ? Int(info.f_bavail) * Int(info.f_frsize) : nil
  }
}
