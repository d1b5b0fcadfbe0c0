import Base
import Checkpoints
import Foundation

/// A temporary folder of a test's own, that goes when the value does.
package final class TestFolder: Sendable {
  package let path: String

  package init() throws {
    path = FileManager.default.temporaryDirectory.path + "/vpatch-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// A folder with the same in it as another, its store too.
  package convenience init(copying other: TestFolder) throws {
    try self.init()
    for name in try other.names() { try FileManager.default.copyItem(atPath: other[name], toPath: self[name]) }
    if try PathKind.of(other.store) != .missing { try FileManager.default.copyItem(atPath: other.store, toPath: store) }
  }

  deinit {
    for path in [path, store] { try? FileManager.default.removeItem(atPath: path) }
  }

  /// A store for commands that work in this folder: beside it, so that it is not among its names.
  package var store: String { "\(path)-store" }

  /// The store of the test folder that one of these arguments names.
  package static func store(for arguments: [String]) -> String? {
    let marked = arguments.lazy.compactMap { $0.firstMatch(of: #//.*/vpatch-test-[0-9A-F-]{36}/#) }
    return marked.first.map { "\($0.output)-store" }
  }

  /// The path of something in it.
  package subscript(name: String) -> String { "\(path)/\(name)" }

  /// Writes a file of any contents, and the folders above it.
  @discardableResult
  package func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let url = URL(filePath: self[name])
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return self[name]
  }

  @discardableResult
  package func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

  package func bytes(_ name: String) throws -> [UInt8] {
    try Array(Data(contentsOf: URL(filePath: name.hasPrefix("/") ? name : self[name])))
  }

  package func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

  package func exists(_ name: String) -> Bool { try! PathKind.of(self[name], followingLinks: false) != .missing }

  /// All names in it, hidden ones too.
  package func names(in name: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: self[name]).sorted()
  }

  /// Every file below a folder with its bytes.
  package func tree(_ name: String) throws -> [String: [UInt8]] {
    var tree: [String: [UInt8]] = [:]
    for entry in try FileManager.default.subpathsOfDirectory(atPath: self[name])
    where try PathKind.of("\(self[name])/\(entry)") == .file {
      tree[entry] = try bytes("\(name)/\(entry)")
    }
    return tree
  }

  // MARK: Checkpoints

  /// One safetensors file.
  @discardableResult
  package func file(_ name: String, _ tensors: [TestTensor], metadata: [(String, String)] = [("format", "pt")]) throws
    -> String
  {
    let text = SafetensorsHeader.text(
      for: tensors.map(\.info), metadata: metadata.map { JSON.Member($0, .string($1)) })
    return try write(name, [UInt8](littleEndian: UInt64(text.count)) + text + tensors.flatMap(\.bytes))
  }

  /// A Hugging Face directory: `model.safetensors`, or so many shards with an index.
  @discardableResult
  package func directory(_ name: String, _ tensors: [TestTensor], shards: Int = 0, files: [String: String] = [:]) throws
    -> String
  {
    if shards == 0 {
      try file("\(name)/model.safetensors", tensors)
    } else {
      let size = (tensors.count + shards - 1) / shards
      var map: [JSON.Member] = []
      for shard in 0..<shards {
        let held = Array(tensors.dropFirst(shard * size).prefix(size))
        let file = "model-0000\(shard + 1)-of-0000\(shards).safetensors"
        try self.file("\(name)/\(file)", held)
        map += held.map { JSON.Member($0.name, .string(file)) }
      }
      let total = tensors.reduce(0) { $0 + $1.bytes.count }
      let index = JSON.dictionary([
        "metadata": .dictionary(["total_size": JSON(total)]), "weight_map": .object(map),
      ])
      try write("\(name)/model.safetensors.index.json", index.pretty() + "\n")
    }
    for (file, text) in files { try write("\(name)/\(file)", text) }
    return self[name]
  }
}

extension SafetensorsCheckpoint {
  /// Its tensors, read whole.
  package func testTensors() throws -> [TestTensor] {
    try tensors.map { tensor in
      let start = tensor.offset
      return TestTensor(
        tensor.name, tensor.info.dtype.name, tensor.info.shape,
        bytes: try files[tensor.file].input.read(start..<start + tensor.info.byteCount))
    }
  }
}

extension TestFolder {
  /// The tensors of a checkpoint in it, read whole.
  package func testTensors(_ name: String) throws -> [TestTensor] {
    try SafetensorsCheckpoint(path: self[name]).testTensors()
  }
}
