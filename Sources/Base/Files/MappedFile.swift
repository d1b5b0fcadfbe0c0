import Glibc

/// A file's bytes as memory that the system reads when it is touched and gives up when it is short of it.
///
/// Who cuts the file short while it is mapped ends the process; vpatch never does that to a model.
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
