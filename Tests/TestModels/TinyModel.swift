import Base
import Checkpoints
import Foundation

/// A small model of random weights, with what PyTorch makes of it (fixtures/tiny-models, fixtures/tiny-families).
package struct TinyModel: Sendable {
  package let folder: String
  private let reference: SafetensorsCheckpoint

  package static let languageModels = ["tiny-llama", "tiny-qwen2", "tiny-seed-oss"]
  package static let visionLanguageModels = ["tiny-qwen2.5-vl", "tiny-llava-onevision", "tiny-llava-next"]
  /// Their rotary embeddings depend on the length of a text; their references have a short text, too.
  package static let byLength = ["tiny-llama-dynamic", "tiny-phi3-longrope", "tiny-phi3-partial"]
  package static let families =
    [
      "tiny-gemma3", "tiny-llama3-rope", "tiny-mistral-window", "tiny-olmo2", "tiny-phi3", "tiny-qwen2-yarn",
      "tiny-qwen3", "tiny-smollm3",
    ] + byLength
  package static let all = languageModels + families + visionLanguageModels

  /// - Parameter reference: the name of the file with what PyTorch makes of it.
  package init(_ name: String, reference file: String = "reference") throws {
    let parent = Self.families.contains(name) ? "tiny-families" : "tiny-models"
    folder = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures/\(parent)/\(name)"
    reference = try SafetensorsCheckpoint(path: folder + "/\(file).safetensors")
  }

  /// The images of its reference, in order.
  package var images: [String] {
    (0..<10).map { folder + "/image-\($0).png" }.filter { try! PathKind.of($0) == .file }
  }

  package var referenceNames: [String] { reference.tensors.map(\.name) }

  /// A float32 tensor of the reference.
  package func floats(_ name: String) throws -> [Float] { try values(name) }

  /// The rows of the reference, without their padding.
  package func rows() throws -> [(ids: [Int32], labels: [Int32])] {
    let width = reference.tensor(named: "input_ids")!.info.shape[1]
    let (ids, labels, mask) = (try self.ids("input_ids"), try self.ids("labels"), try self.ids("attention_mask"))
    return stride(from: 0, to: ids.count, by: width).map { start in
      let count = mask[start..<start + width].count { $0 == 1 }
      return (Array(ids[start..<start + count]), Array(labels[start..<start + count]))
    }
  }

  /// How many tokens a row has with its padding.
  package var paddedLength: Int { reference.tensor(named: "input_ids")!.info.shape[1] }

  /// An int64 tensor of the reference.
  package func ids(_ name: String) throws -> [Int32] { try (values(name) as [Int64]).map(Int32.init) }

  private func values<T>(_ name: String) throws -> [T] {
    let source = StoredTensor(reference.tensor(named: name)!, in: reference)
    return try [T](unsafeUninitializedCapacity: source.info.elementCount) { buffer, count in
      try source.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
      count = buffer.count
    }
  }
}

/// How far two lists of numbers are apart, relative to the second.
package func relativeDistance(_ a: [Float], _ b: [Float]) -> Double {
  precondition(a.count == b.count)
  let (difference, size) = zip(a, b).reduce(into: (0.0, 0.0)) { sums, pair in
    sums.0 += pow(Double(pair.0) - Double(pair.1), 2)
    sums.1 += pow(Double(pair.1), 2)
  }
  return (difference / max(size, 1e-30)).squareRoot()
}

package func largestDifference(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max() ?? 0 }
