import Foundation
import TestModels

@testable import Base
@testable import Checkpoints

/// A model in the hub's layout and in transformers' runtime layout, from a list of fixtures/keys/runtime: made with
/// plain copies of bytes.
struct RuntimeTwin {
  static let families = [
    "aya_vision", "deepseek_v3", "gemma3", "glm4_moe", "internvl", "llava_onevision", "mistral3", "mixtral",
    "paligemma",
    "qwen2_vl", "qwen3_moe", "qwen3_next", "qwen3_vl_moe",
  ]

  private(set) var hub: [TestTensor] = []
  private(set) var runtime: [TestTensor] = []
  /// Names of tensors that are not stored in the same arrangement on both sides.
  private(set) var rearranged: (hub: Set<String>, runtime: Set<String>) = ([], [])

  /// - Parameter tuned: whether about half of the weights are moved.
  init(_ family: String, tuned: Bool = false) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../fixtures/keys/runtime/\(family).tsv").standardized
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
      let fields = line.split(separator: "\t").map(String.init)
      let names = fields[3].split(separator: " ").map(String.init)
      var shape = fields[1].split(separator: "x").map { Int($0)! }
      var part = shape
      switch fields[2] {
      case "same":
        // Only the names matter here, and some tensors are large.
        shape = shape.map { min($0, 8) }
        part = shape
      case "stack": part.removeFirst()
      case "pairs": part = [shape[1] / 2, shape[2]]
      case "exchanged": part = [shape[0], shape[2], shape[1]]
      default: preconditionFailure(fields[2])
      }
      let parts = names.map { name in
        let tensor = TestTensor.weights(name, part)
        return tuned ? tensor.tuned() : tensor
      }
      let bytes = fields[2] == "exchanged" ? Self.exchanged(parts[0]) : parts.flatMap(\.bytes)
      hub += parts
      runtime.append(TestTensor(fields[0], "BF16", shape, bytes: bytes))
      if fields[2] != "same" {
        rearranged.hub.formUnion(names)
        rearranged.runtime.insert(fields[0])
      }
    }
  }

  private static func exchanged(_ tensor: TestTensor) -> [UInt8] {
    let (planes, rows, columns) = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
    var bytes: [UInt8] = []
    for plane in 0..<planes {
      for column in 0..<columns {
        for row in 0..<rows {
          let at = ((plane * rows + row) * columns + column) * 2
          bytes += tensor.bytes[at..<at + 2]
        }
      }
    }
    return bytes
  }
}
