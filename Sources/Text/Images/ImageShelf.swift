import Base
import Glibc
import Images
import Synchronization

/// Cache of checked image headers.
final class ImageShelf: Sendable {
  private let images: any ImagePrompting
  private let known = Mutex<[String: Result<ImageSource, VPatchError>]>([:])

  init(_ images: any ImagePrompting) { self.images = images }

  /// Checks the images that were not checked before.
  func look(at paths: [String], _ work: WorkOptions) throws {
    let new = known.withLock { known in Set(paths).filter { known[$0] == nil } }.sorted()
    let sizes = new.map(Self.size)
    work.progress.begin("checking images", total: sizes.reduce(0, +))
    let found = try Parallel.map(new.count, threads: work.threads) { i in
      defer { work.progress.advance(sizes[i]) }
      return try look(at: new[i])
    }
    known.withLock { known in
      for (path, result) in zip(new, found) { known[path] = result }
    }
  }

  func source(_ path: String) throws -> ImageSource {
    if let result = known.withLock({ $0[path] }) { return try result.get() }
    let result = try look(at: path)
    known.withLock { $0[path] = result }
    return try result.get()
  }

  /// Size of the file; 0 if it is missing, which is reported when it is checked.
  private static func size(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
  }

  private func look(at path: String) throws -> Result<ImageSource, VPatchError> {
    do {
      return .success(try images.source(path: path))
    } catch let error as VPatchError {
      return .failure(error)
    }
  }
}
