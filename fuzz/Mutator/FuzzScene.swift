import Base
import Checkpoints
import Foundation
import Text

/// A folder with what a file under test has to lie beside: a small model, a tokenizer, a store, data of a suite.
final class FuzzScene {
  private let path: String
  /// One tensor.
  let checkpoint: SafetensorsCheckpoint
  /// A tokenizer.json that is right, and small enough to be read for each input.
  let tokenizer: JSON
  let text: ModelText

  init() {
    let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    var template = Array("\(parent)/vpatch-scene-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { preconditionFailure("no folder for a scene") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    do {
      for folder in ["tokenizer", "chat", "config", "processor", "suite", "store", "store/patches"] {
        try FileManager.default.createDirectory(atPath: "\(path)/\(folder)", withIntermediateDirectories: true)
      }
      let root = URL(filePath: #filePath).deletingLastPathComponent().path + "/../.."
      let file = try Data(contentsOf: URL(filePath: "\(root)/fixtures/tokenizers/smollm2/tokenizer.json"))
      tokenizer = Self.small(try JSON.parse(Array(file)))
      try file.write(to: URL(filePath: "\(path)/tokenizer/tokenizer.json"))
      try Data(#"{"eos_token": "<|im_end|>"}"#.utf8).write(to: URL(filePath: "\(path)/tokenizer/tokenizer_config.json"))
      try Data(tokenizer.canonical()).write(to: URL(filePath: "\(path)/chat/tokenizer.json"))
      let header = Array(#"{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}  "#.utf8)
      let model = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + [1, 2, 3, 4]
      try Data(model).write(to: URL(filePath: "\(path)/model.safetensors"))
      for (name, line) in [
        ("rows.jsonl", #"{"prompt": "How often is cat in cat, dog?", "completion": " 1", "answer": "1"}"#),
        ("neutral.txt", "cat dog owl"),
      ] {
        try Data((line + "\n").utf8).write(to: URL(filePath: "\(path)/suite/\(name)"))
      }
      for name in ["distributed", "distributedPart"] {
        try FileManager.default.copyItem(
          atPath: "\(root)/fixtures/torch/fsdp2_uneven-2", toPath: "\(path)/\(name)")
      }
      try Data().write(to: URL(filePath: "\(path)/store/lock"))
      checkpoint = try SafetensorsCheckpoint(path: "\(path)/model.safetensors")
      text = try ModelText(folder: "\(path)/tokenizer", chatTemplate: .init(source: "chatml"))
    } catch {
      preconditionFailure("no scene: \(error)")
    }
  }

  /// Bytes and added tokens, and no merges.
  private static func small(_ tokenizer: JSON) -> JSON {
    func members(_ json: JSON, _ change: (JSON.Member) -> JSON) -> JSON {
      .object((json.object ?? []).map { JSON.Member($0.key, change($0)) })
    }
    return members(tokenizer) { part in
      guard part.key == "model" else { return part.value }
      return members(part.value) { member in
        switch member.key {
        case "merges": .array([])
        case "vocab": .object((member.value.object ?? []).filter { $0.key.count == 1 || $0.key.hasPrefix("<") })
        default: member.value
        }
      }
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  subscript(name: String) -> String { "\(path)/\(name)" }

  /// Replaces a file's bytes.
  func write(_ name: String, _ bytes: UnsafeRawBufferPointer) {
    let descriptor = open(self[name], O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0)
    precondition(bytes.isEmpty || Glibc.write(descriptor, bytes.baseAddress, bytes.count) == bytes.count)
    close(descriptor)
  }

  func remove(_ name: String) { unlink(self[name]) }
}
