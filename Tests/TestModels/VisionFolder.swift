import Base
import Checkpoints
import Foundation

/// A copy of a tiny model that sees, to be changed, beside some images and rows.
package struct VisionFolder: Sendable {
  package let folder: TestFolder
  package let name: String
  package var base: String { folder["model"] }
  package var data: String { folder["rows.jsonl"] }

  /// - Parameter name: one of `TinyModel.visionLanguageModels`.
  package init(_ name: String) throws {
    self.name = name
    folder = try TestFolder()
    let tiny = try TinyModel(name)
    for file in ["config.json", "model.safetensors", "preprocessor_config.json"] {
      try folder.write("model/\(file)", folder.bytes("\(tiny.folder)/\(file)"))
    }
    try folder.write("images/a.png", folder.bytes(tiny.images[0]))
    try folder.write("images/b.png", TestImage.png(width: 70, height: 30))
    try folder.write("images/c.png", TestImage.png(width: 1, height: 1))
    try folder.write("rows.jsonl", Self.rows)
  }

  /// The image token of all three is 5; a row of text is among them.
  private static let rows = """
    {"input_ids": [1, 5, 10, 11, 12, 13], "labels": [-100, -100, -100, 11, 12, 13], "images": ["images/a.png"]}
    {"input_ids": [1, 30, 31, 32, 33]}
    {"input_ids": [1, 5, 20, 5, 21, 22], "images": ["images/b.png", "images/a.png"]}
    {"input_ids": [1, 5, 40, 41], "image": "./images/c.png"}
    """

  /// Changes config.json, or another file of JSON.
  package func edit(_ file: String = "config.json", _ change: (JSON) throws -> JSON) throws {
    try folder.write("model/\(file)", change(JSON.parse(folder.bytes("model/\(file)"))).pretty())
  }

  package func edit(_ file: String = "config.json", part: String, _ key: String, _ value: JSON?) throws {
    try edit(file) { $0.setting(part, to: ($0[part] ?? .object([])).setting(key, to: value)) }
  }

  /// Writes its tensors anew.
  package func rewrite(_ change: ([TestTensor]) -> [TestTensor]) throws {
    let tensors = change(try SafetensorsCheckpoint(path: base).testTensors())
    try folder.file("model/model.safetensors", tensors)
  }

  package func rename(_ change: (String) -> String) throws {
    try rewrite {
      $0.map { TestTensor(change($0.name), $0.dtype, $0.shape, bytes: $0.bytes) }
    }
  }
}

/// Images that no file of the fixtures is.
package enum TestImage {
  /// A PNG of colours that run; its pixels are stored and not compressed.
  /// - Parameter claimed: the size that its header claims.
  package static func png(width: Int, height: Int, claimed: (width: Int, height: Int)? = nil, tint: Int = 0) -> [UInt8]
  {
    var lines: [UInt8] = []
    for y in 0..<height {
      lines.append(0)
      for x in 0..<width { lines += [UInt8((7 * x + tint) % 256), UInt8((3 * y) % 256), UInt8((x + y + tint) % 256)] }
    }
    var stream: [UInt8] = [0x78, 0x01]
    for start in stride(from: 0, to: lines.count, by: 65535) {
      let block = lines[start..<min(start + 65535, lines.count)]
      let count = UInt16(block.count)
      stream.append(start + block.count == lines.count ? 1 : 0)
      for number in [count, ~count] { stream += [UInt8(number & 255), UInt8(number >> 8)] }
      stream += block
    }
    var (a, b) = (UInt32(1), UInt32(0))
    for byte in lines { (a, b) = ((a + UInt32(byte)) % 65521, (b + a + UInt32(byte)) % 65521) }
    stream += big(b << 16 | a)
    let size = claimed ?? (width, height)
    let header = big(UInt32(size.width)) + big(UInt32(size.height)) + [8, 2, 0, 0, 0]
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header) + chunk("IDAT", stream)
      + chunk("IEND", [])
  }

  private static func chunk(_ name: String, _ body: [UInt8]) -> [UInt8] {
    let named = Array(name.utf8) + body
    var sum = UInt32.max
    for byte in named {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
    return big(UInt32(body.count)) + named + big(~sum)
  }

  private static func big(_ number: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }
}
