import Base
import Images
import Synchronization
import Text

/// A model that takes as many tokens for an image as the file's text says.
final class FakeImages: ImagePrompting {
  let mark: String
  let token: Int32
  /// How many more an image gets that is the only one.
  let tokensMoreAlone: Int
  private let looked = Mutex<[String]>([])
  /// The paths that were looked at.
  var paths: [String] { looked.withLock { $0 } }

  init(mark: String = "<image>", token: Int32, tokensMoreAlone: Int = 0) {
    self.tokensMoreAlone = tokensMoreAlone
    self.mark = mark
    self.token = token
  }

  func source(path: String) throws -> ImageSource {
    looked.withLock { $0.append(path) }
    let bytes = try InputFile.contents(of: path, limit: 100)
    guard let count = Int(String(decoding: bytes, as: UTF8.self)) else {
      throw VPatchError(.invalid, path, "is neither PNG, JPEG nor WebP")
    }
    return ImageSource(path: path, digest: SHA256Hasher.hash(bytes), width: count, height: 1)
  }

  func tokens(for image: ImageSource, among count: Int) throws -> Int {
    guard image.width < 100 else { throw VPatchError(.refused, image.path, "is too large for the model") }
    return image.width + (count == 1 ? tokensMoreAlone : 0)
  }
}
