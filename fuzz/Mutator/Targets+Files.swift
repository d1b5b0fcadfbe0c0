import Base
import Catalogue
import Checkpoints
import Measure
import ModelFiles
import PatchFormat

/// Files of patches, stacks and models, and of the store.
extension FuzzTargets {
  /// A text that is accepted is written and read again as the same.
  func json(_ bytes: UnsafeRawBufferPointer) {
    do {
      let json = try JSON.parse(Array(bytes))
      accept()
      // The order of members is none of a value.
      let canonical = json.canonical()
      guard let again = try? JSON.parse(canonical), again.canonical() == canonical else {
        preconditionFailure("a value is not read as it was written")
      }
    } catch { precondition((error as? JSONError)?.reason.isEmpty == false) }
  }

  /// As it is, and with its digest made right (spec/journal.md).
  func journal(_ bytes: UnsafeRawBufferPointer) {
    var file = Array(bytes)
    func read() {
      file.withUnsafeBytes { place($0) }
      expectVPatchError {
        let (journal, start) = try Journal.read(InputFile(path: path))
        accept()
        _ = journal.payloadOffsets(from: start)
      }
    }
    read()
    guard file.count >= 64 else { return }
    let length = file[16..<24].enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
    let end = 64 + Int(min(length, UInt64(file.count - 64)))
    file.replaceSubrange(32..<64, with: SHA256Hasher.hash(Array(file[..<32] + file[64..<end])).bytes)
    read()
  }

  /// Beside a small model.
  func provenance(_ bytes: UnsafeRawBufferPointer) {
    scene.write("model.safetensors.vpatch.json", bytes)
    expectVPatchError {
      // A checkpoint has the provenance that was there when it was opened.
      if try Provenance.of(SafetensorsCheckpoint(path: scene["model.safetensors"])) != nil { accept() }
    }
  }

  func stack(_ bytes: UnsafeRawBufferPointer) {
    expectVPatchError {
      _ = try StackFile(text: Array(bytes), path: "fuzz")
      accept()
    }
    let text = String(decoding: bytes, as: UTF8.self)
    expectVPatchError { _ = try MergeMethod(text: text) }
    expectVPatchError { _ = try MemberReference(text) { _ in false } }
  }

  /// Records of forgetting and of training, and what is made of them.
  func annotations(_ bytes: UnsafeRawBufferPointer) {
    guard let json = try? JSON.parse(Array(bytes)) else { return }
    expectVPatchError {
      _ = ForgettingSummary(annotations: json)
      _ = try TrainingRecord(annotations: json, subject: "fuzz")
      accept()
    }
  }

  /// One chunk, of any format, in both directions. The first byte chooses the dtype, the next two how many elements,
  /// the fourth whether the rest is a stored chunk, or what one is encoded from and then changed at up to seven places.
  func chunk(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 32 else { return }
    let names = ["BF16", "F16", "F32", "F64", "F8_E4M3", "F8_E5M2", "I8", "U8", "I16", "U16", "I32", "I64", "BOOL"]
    guard let format = DType(names[Int(bytes[0]) % names.count])?.element else { preconditionFailure("no such dtype") }
    let count = (Int(bytes[1]) | Int(bytes[2]) << 8) % 4096 * format.width
    let data = UnsafeRawBufferPointer(rebasing: bytes[32...])
    guard count > 0, !data.isEmpty else { return }
    // Aligned to their elements, as those of a tensor are.
    let sides = (0..<3).map { _ in UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16) }
    defer { for side in sides { side.deallocate() } }
    let (base, target, output) = (sides[0], sides[1], sides[2])
    for i in base.indices {
      base[i] = data[i % data.count] &+ UInt8(truncatingIfNeeded: i >> 8)
      // The low bytes differ by a little.
      target[i] = base[i] &+ (i % format.width == 0 ? data[(i * 7 + 1) % data.count] & 3 : 0)
    }
    var stored = Array(data)
    if bytes[3] & 0x80 == 0 {
      stored = ChunkCoder.encodeDifference(
        base: UnsafeRawBufferPointer(base), target: UnsafeRawBufferPointer(target), format: format, rowLength: nil)
      for change in 0..<Int(bytes[3] & 7) where !stored.isEmpty {
        let at = (Int(bytes[4 + 3 * change]) | Int(bytes[5 + 3 * change]) << 8) % stored.count
        stored[at] ^= bytes[6 + 3 * change]
      }
    }
    let isWhole = bytes[3] & 0x87 == 0
    stored.withUnsafeBytes { stored in
      for (direction, from, to) in [(Direction.forward, base, target), (.backward, target, base)] {
        var isDone = false
        expectError {
          try ChunkCoder.decodeDifference(
            stored, from: UnsafeRawBufferPointer(from), into: output, format: format, direction: direction)
          isDone = true
          accept()
        }
        precondition(!isWhole || (isDone && output.elementsEqual(to)), "a chunk does not decode to what was encoded")
      }
      expectError { try ChunkCoder.decodeContent(stored, into: output, format: format) }
    }
  }

  func key(_ bytes: UnsafeRawBufferPointer) {
    place(bytes)
    expectVPatchError {
      _ = try Ed25519.PrivateKey(path: path)
      accept()
    }
    expectVPatchError { _ = try Ed25519.PublicKey(path) }
  }

  func results(_ bytes: UnsafeRawBufferPointer) {
    expectVPatchError {
      _ = try EvaluationResults(Array(bytes), path: "fuzz.json")
      accept()
    }
  }

  /// The whole file of the catalogue: SQLite's own checks are behind it.
  func catalogue(_ bytes: UnsafeRawBufferPointer) {
    scene.write("store/catalogue.sqlite", bytes)
    expectVPatchError {
      let store = try Store(path: scene["store"], create: false)
      accept()
      _ = try store.patches()
      _ = try store.aliases()
      _ = try store.stacks()
    }
    for suffix in ["-wal", "-shm", "-journal"] { scene.remove("store/catalogue.sqlite" + suffix) }
  }
}
