import Base

/// An image file that has been looked at: what it is and how large, but not its pixels.
package struct ImageSource: Equatable, Hashable, Sendable {
  package let path: String
  /// SHA-256 of the file's bytes.
  package let digest: ContentDigest
  /// In pixels, upright: as its EXIF orientation has it shown.
  package let width: Int
  package let height: Int

  package init(path: String, digest: ContentDigest, width: Int, height: Int) {
    self.path = path
    self.digest = digest
    self.width = width
    self.height = height
  }
}
