import Base

/// What exists beside a model under a name. It is examined and read once, so that exactly what was compared is packed,
/// replaced or removed.
package enum SideFile {
  case missing
  /// A folder, or a link to one.
  case folder
  /// A link that leads out of the model's folder. Not read.
  case outside
  /// Something that cannot be a side file, with a description: a dangling link, a pipe, a device.
  case special(String)
  /// Too large for a patch. Not read.
  case tooLarge
  case contents([UInt8], Seen)

  /// Maximum size of a side file in a patch, in bytes.
  package static let maximumSize = 32 << 20

  /// - Parameter folder: the model's folder, and whether links may lead out of it.
  /// - Throws: `io` where it cannot be examined or read, or changes meanwhile.
  package init(_ name: String, in folder: Enclosure) throws {
    let path = Path.join(folder.folder, name)
    let before = try LastingIdentity.of(path, followingLinks: false)
    switch try PathKind.of(path) {
    case .missing: self = .missing
    case .directory: self = .folder
    case .symbolicLink: self = .special("is a symbolic link that leads nowhere")
    case .other: self = .special("is neither a file nor a folder")
    case .file:
      guard try folder.admits(path) else {
        self = .outside
        return
      }
      let file = try InputFile(path: path)
      guard file.size <= Self.maximumSize else {
        self = .tooLarge
        return
      }
      let bytes = try file.read(0..<file.size)
      try file.requireUnchanged()
      guard let before, try LastingIdentity.of(path, followingLinks: false) == before else {
        throw Self.changed(path)
      }
      self = .contents(bytes, Seen(identity: before, state: file.state))
    }
  }

  /// The file that was read: its identity and state.
  package struct Seen: Equatable {
    /// Of the name itself, not of a link's target.
    package let identity: LastingIdentity
    fileprivate let state: FileState
  }

  /// Checks that the file is still the one that was read, or that there still is none.
  /// - Throws: `io` where that is not the case.
  package static func require(_ seen: Seen?, at path: String) throws {
    guard try LastingIdentity.of(path, followingLinks: false) == seen?.identity else { throw changed(path) }
    guard let seen else { return }
    guard try FileState.of(path)?.hasSameBytes(as: seen.state) == true else { throw changed(path) }
  }

  package static func changed(_ path: String) -> VPatchError {
    VPatchError(
      .io, path, "was changed by another program meanwhile", remedy: "run the command again when nothing writes to it")
  }
}
