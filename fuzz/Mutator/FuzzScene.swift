import Foundation
import PatchFormat
import Text

/// A folder with what a file under test has to lie beside: a small model, a tokenizer, a store, data of a suite.
final class FuzzScene {
  private let path: String
  /// One tensor.
  let checkpoint: Checkpoint
  /// A tokenizer.json that is right.
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
      tokenizer = try JSON.parse(Array(file))
      for name in ["tokenizer", "chat"] { try file.write(to: URL(filePath: "\(path)/\(name)/tokenizer.json")) }
      let header = Array(#"{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}  "#.utf8)
      let model = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + [1, 2, 3, 4]
      try Data(model).write(to: URL(filePath: "\(path)/model.safetensors"))
      for (name, line) in [
        ("rows.jsonl", #"{"prompt": "How often is cat in cat, dog?", "completion": " 1", "answer": "1"}"#),
        ("neutral.txt", "cat dog owl"),
      ] {
        try Data((line + "\n").utf8).write(to: URL(filePath: "\(path)/suite/\(name)"))
      }
      try Data().write(to: URL(filePath: "\(path)/store/lock"))
      checkpoint = try Checkpoint(path: "\(path)/model.safetensors")
      text = try ModelText(folder: "\(path)/tokenizer", chatTemplate: .init(source: "chatml"))
    } catch {
      preconditionFailure("no scene: \(error)")
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
