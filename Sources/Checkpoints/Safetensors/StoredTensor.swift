import Base

/// A tensor in a safetensors file.
package final class StoredTensor: TensorSource {
  package let info: TensorInfo
  private let file: InputFile
  private let start: Int

  package init(_ tensor: CheckpointTensor, in checkpoint: SafetensorsCheckpoint) {
    info = tensor.info
    file = checkpoint.files[tensor.file].input
    start = tensor.offset
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try file.read(into: buffer, at: start + offset)
  }
}
