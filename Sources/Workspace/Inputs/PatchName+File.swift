import Base
import Catalogue
import PatchFormat

extension PatchName {
  /// The patch that an argument means: a file's, or by name.
  package init(_ text: String) throws {
    self = try Patch.looksLikePatch(path: text) ? .identity(Patch(path: text).identity) : .typed(text)
  }
}

extension Store {
  /// The patch that an argument means: a file's, or by name.
  package func identity(_ text: String) throws -> ContentDigest {
    switch try PatchName(text) {
    case .identity(let identity): identity
    case .typed(let text): try resolve(text)
    }
  }
}
