/// A tensor whose bytes are in memory that the caller keeps as it is.
package final class MemoryTensor: TensorSource {
  package let info: TensorInfo
  private let bytes: UnsafeRawBufferPointer

  /// - Parameter bytes: as many as `info` says; valid for as long as this value is read.
  package init(_ info: TensorInfo, _ bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count == info.byteCount)
    self.info = info
    self.bytes = bytes
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + buffer.count]))
  }
}
