import Glibc

/// A file's bytes mapped into memory. The system reads pages on access and may drop them when memory is short.
///
/// If another process truncates the file while it is mapped, an access ends this process (SIGBUS). vpatch never
/// truncates a model.
package final class MappedFile: @unchecked Sendable {
  package let bytes: UnsafeRawBufferPointer

  package init(_ file: InputFile) throws {
    guard file.size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let address = mmap(nil, file.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
    guard let address, address != MAP_FAILED else { throw VPatchError.system(file.path, "cannot be mapped") }
    bytes = UnsafeRawBufferPointer(start: address, count: file.size)
  }

  deinit {
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
  }
}
