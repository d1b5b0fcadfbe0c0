import Base

/// What lies beside a model under a name. It is looked at and read once: what was compared is what is packed, replaced
/// or removed.
package enum SideFile {
  case missing
  /// A folder, or a link to one.
  case folder
  /// A link that leads out of the model's folder; not read.
  case outside
  /// Nothing that could be a side file, in words: a link that leads nowhere, a pipe, a device.
  case special(String)
  /// More than travels in a patch; not read.
  case tooLarge
  case contents([UInt8], Seen)

  /// Larger files do not travel in a patch.
  package static let maximumSize = 32 << 20

  /// - Parameter folder: the model's, and whether links may lead out of it.
  /// - Throws: `io` where it cannot be looked at or read, or changes meanwhile.
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

  /// Which file was read, and as what.
  package struct Seen: Equatable {
    /// Of the name itself, not of what a link leads to.
    package let identity: LastingIdentity
    fileprivate let state: FileState
  }

  /// Looks again: what was read is still there, and where nothing was, nothing is.
  /// - Throws: `io` where that is not so.
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
