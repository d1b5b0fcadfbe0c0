import Base
import Catalogue
import Checkpoints
import Glibc
import PatchFormat
import TestModels
import Testing

/// A folder with a store in it, and patches that are made without a model.
struct StoreFixture {
  let folder: TestFolder
  let store: Store

  init() throws {
    folder = try TestFolder()
    store = try Store(path: folder["store"])
  }

  func reopened() throws -> Store { try Store(path: folder["store"], create: false) }

  /// A patch of one tensor with one number: all that a store needs to see of one.
  /// - Parameters:
  ///   - from: the number in the base. A patch whose base has the number that another's target has is made on top of it.
  ///   - to: the number in the target.
  @discardableResult
  func patch(
    _ file: String, from: Int32 = 0, to: Int32, name: String? = nil, recipe: String? = nil, note: String? = nil
  ) throws -> String {
    let info = TensorInfo(name: "w", dtype: DType("I32")!, shape: [1], byteCount: 4)
    let sides = [from, to].map { number in
      let hasher = info.fingerprintHasher()
      hasher.update([UInt8](littleEndian: UInt32(bitPattern: number)))
      return FingerprintedTensor(info, hasher.finalize())
    }
    let stored = [from, to].withUnsafeBytes { bytes in
      ChunkCoder.encodeDifference(
        base: UnsafeRawBufferPointer(rebasing: bytes[..<4]), target: UnsafeRawBufferPointer(rebasing: bytes[4...]),
        format: info.dtype.element, rowLength: nil)
    }
    let writer = try PatchWriter(path: folder[file])
    let chunk = try writer.add(stored, role: .difference, decoded: 4)
    let layout = FileLayout(
      files: [.init(name: "", header: SafetensorsHeader.text(for: [info], metadata: []))], index: nil)
    _ = try writer.finish(
      [.init(operation: .change, base: sides[0], target: sides[1], chunks: [chunk])],
      annex: Annex(base: layout, target: layout, sideFiles: []),
      annotations: .dictionary([
        "name": name.map { .string($0) }, "recipe": recipe.map { .string($0) }, "note": note.map { .string($0) },
      ]))
    return folder[file]
  }

  /// The same, added.
  @discardableResult
  func added(from: Int32 = 0, to: Int32, name: String? = nil, recipe: String? = nil, kind: PatchKind = .patch) throws
    -> ContentDigest
  {
    try store.add(file: patch("\(from)-\(to).vpatch", from: from, to: to, name: name, recipe: recipe), kind: kind)
  }

  func file(of identity: ContentDigest) -> String {
    folder["store/patches/\(identity.hex.prefix(2))/\(identity.hex).vpatch"]
  }
}

/// The error that something throws, in words.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "nothing was thrown"
  } catch { return "\(error)" }
}

func code(_ body: () throws -> Void) -> VPatchError.Code? {
  do {
    try body()
    return nil
  } catch { return (error as? VPatchError)?.code }
}
