import Foundation

@testable import Apply
@testable import Checkpoints

/// Tiny checkpoints, written into a temporary folder that goes when the value does.
final class DiffFolder {
  struct Tensor {
    let name: String
    let dtype: String
    let shape: [Int]
    let bytes: [UInt8]

    init(_ name: String, _ dtype: String, _ bytes: [UInt8], shape: [Int]? = nil) {
      self.name = name
      self.dtype = dtype
      self.bytes = bytes
      self.shape = shape ?? [bytes.count / DType(dtype)!.element.width]
    }

    init<T>(_ name: String, _ dtype: String, _ elements: [T], shape: [Int]? = nil) {
      self.init(name, dtype, elements.withUnsafeBytes { Array($0) }, shape: shape)
    }

    static func bf16(_ name: String, _ values: [Float], shape: [Int]? = nil) -> Tensor {
      Tensor(name, "BF16", values.map { UInt16($0.bitPattern >> 16) }, shape: shape)
    }
  }

  let path = FileManager.default.temporaryDirectory.appending(path: "vpatch-diff-\(UUID().uuidString)").path

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func checkpoint(_ name: String, _ tensors: [Tensor]) throws -> SafetensorsCheckpoint {
    let infos = tensors.map {
      TensorInfo(name: $0.name, dtype: DType($0.dtype)!, shape: $0.shape, byteCount: $0.bytes.count)
    }
    let text = SafetensorsHeader.text(for: infos, metadata: [])
    let length = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) }
    let file = "\(path)/\(name).safetensors"
    try Data(length + text + tensors.flatMap(\.bytes)).write(to: URL(filePath: file))
    return try SafetensorsCheckpoint(path: file)
  }

  func diff(_ a: [Tensor], _ b: [Tensor], threads: Int = 1) throws -> CheckpointDiff {
    try CheckpointDiff.compute(checkpoint("a", a), checkpoint("b", b), threads: threads)
  }
}
