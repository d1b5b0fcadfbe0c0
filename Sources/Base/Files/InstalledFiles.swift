import Glibc

/// The files that come with the program, such as suites: in `share/vpatch` beside the program's folder, or in the
/// repository that it was built in. `$VPATCH_SHARE` names another folder.
package enum InstalledFiles {
  /// The path of the running program, without symbolic links.
  package static func programPath() throws -> String { try Path.resolved("/proc/self/exe") }

  /// - Parameter name: a path relative to the folder, such as "suites/everyday/suite.toml".
  /// - Throws: `io` where it is not installed.
  package static func path(_ name: String) throws -> String {
    if let folder = getenv("VPATCH_SHARE").map({ String(cString: $0) }), !folder.isEmpty {
      return Path.join(folder, name)
    }
    var folder = Path.parent(try programPath())
    let installed = Path.join(folder, "../share/vpatch/\(name)")
    if try PathKind.of(installed) != .missing { return try Path.resolved(installed) }
    // A build lies in the repository: .build/x86_64-unknown-linux-gnu/release.
    while folder != "/", folder != "." {
      folder = Path.parent(folder)
      let path = Path.join(folder, name)
      if try PathKind.of(Path.join(folder, "Package.swift")) != .missing, try PathKind.of(path) != .missing {
        return path
      }
    }
    throw VPatchError(
      .io, name, "is not installed: it belongs into share/vpatch beside the program's folder",
      remedy: "install vpatch with 'make install', or set VPATCH_SHARE to the folder that has it")
  }
}
