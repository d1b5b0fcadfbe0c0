import PatchFormat

/// An image file that has been looked at: what it is and how large, but not its pixels.
public struct ImageSource: Equatable, Hashable, Sendable {
  public let path: String
  /// SHA-256 of the file's bytes.
  public let digest: Digest
  /// In pixels, upright: as its EXIF orientation has it shown.
  public let width: Int
  public let height: Int

  public init(path: String, digest: Digest, width: Int, height: Int) {
    self.path = path
    self.digest = digest
    self.width = width
    self.height = height
  }
}
