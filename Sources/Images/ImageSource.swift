import Base

/// An image file whose header was read: its digest and size, without pixels.
package struct ImageSource: Equatable, Hashable, Sendable {
  package let path: String
  /// SHA-256 of the file's bytes.
  package let digest: ContentDigest
  /// In pixels, after applying the EXIF orientation.
  package let width: Int
  package let height: Int

  package init(path: String, digest: ContentDigest, width: Int, height: Int) {
    self.path = path
    self.digest = digest
    self.width = width
    self.height = height
  }
}
