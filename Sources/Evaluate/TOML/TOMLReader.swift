import Base

/// Reads the keys of one TOML table, each by its type.
package typealias TOMLReader = ObjectReader<VPatchError>

extension ObjectReader where Failure == VPatchError {
  /// - Parameters:
  ///   - path: of the file, for messages.
  ///   - place: the table, for messages: "the task \"arc\""; nil for the file itself.
  convenience init(_ members: [TOMLMember], path: String, place: String?) {
    self.init(members.map { JSON.Member($0.key, $0.value) }) { reason, key, remedy in
      let line = members.first { $0.key == key }?.line
      return TOMLFile.error(path, line: line, (place.map { "\($0) " } ?? "") + reason, remedy: remedy)
    }
  }

  /// - Throws: `invalid` for a key that was not read.
  func finish() throws(VPatchError) {
    guard let other = unread.first else { return }
    throw error(
      "has the unknown key \"\(other.key)\"", key: other.key,
      remedy: "known keys are \(keysRead.joined(separator: ", "))")
  }
}

extension TOMLFile {
  /// In bytes. Texts and questions are in separate files.
  private static let maximumSize = 1 << 20

  /// Reads a TOML file.
  /// - Throws: `invalid` with the line of a syntax error.
  init(path: String) throws {
    let bytes = try InputFile.contents(of: path, limit: Self.maximumSize)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw VPatchError(.invalid, path, "is not UTF-8 text")
    }
    do { self = try TOMLParser.parse(text) } catch let error as TOMLError {
      throw Self.error(path, line: error.line, error.reason)
    }
  }

  static func error(_ path: String, line: Int?, _ reason: String, remedy: String? = nil) -> VPatchError {
    VPatchError(.invalid, path, (line.map { "line \($0): " } ?? "") + reason, remedy: remedy)
  }
}
