import Glibc

/// A shared library of the system that is loaded when it is first needed, so that vpatch runs without it.
///
/// It stays loaded until the process ends, so its functions may be kept.
package final class SystemLibrary: Sendable {
  private let file: String
  private nonisolated(unsafe) let handle: UnsafeMutableRawPointer

  /// - Parameters:
  ///   - file: its name with the version of its interface, such as `libcurl.so.4`.
  ///   - package: the Debian package that has it.
  ///   - use: what it is needed for, such as "for HTTP".
  /// - Throws: `io` with the package's name where it is not installed.
  package init(_ file: String, package: String, for use: String) throws {
    self.file = file
    guard let handle = dlopen(file, RTLD_NOW | RTLD_LOCAL) else {
      let isMissing = dlerror().map { String(cString: $0).contains("No such file") } ?? true
      throw VPatchError(
        .io, file, "\(isMissing ? "is not installed" : "cannot be loaded"), and vpatch needs it \(use)",
        remedy: "install it: apt-get install \(package)")
    }
    self.handle = handle
  }

  /// A function of the library.
  /// - Parameter type: its C type, `@convention(c)`. A wrong type is undefined behaviour.
  /// - Throws: `io` where the installed version lacks it.
  package func function<Function>(_ name: String, as type: Function.Type = Function.self) throws -> Function {
    precondition(MemoryLayout<Function>.size == MemoryLayout<UnsafeRawPointer>.size, "a C function")
    guard let address = dlsym(handle, name) else {
      throw VPatchError(
        .io, file, "has no function \(name): the installed version is too old", remedy: "install a newer one")
    }
    return unsafeBitCast(address, to: Function.self)
  }
}
