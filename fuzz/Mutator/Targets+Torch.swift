import Base
import Checkpoints

/// Files of PyTorch.
extension FuzzTargets {
  /// A file of torch.save, opened, and every tensor read.
  func torchFile(_ bytes: UnsafeRawBufferPointer) {
    scene.write("model.pt", bytes)
    readWhole("model.pt")
  }

  /// The object's pickle alone, in a file without checksums, over two storages of zeros.
  func pickle(_ bytes: UnsafeRawBufferPointer) {
    let start: [UInt8] = [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
    let version: [UInt8] = [0x80, 2, 0x4D, 0xE9, 3, 0x2E]
    func string(_ text: String) -> [UInt8] { [0x8C, UInt8(text.utf8.count)] + Array(text.utf8) }
    let system = [0x80, 2, 0x7D] + string("little_endian") + [0x88, 0x73, 0x2E]
    let keys = [0x80, 2, 0x5D] + string("0") + [0x61] + string("1") + [0x61, 0x2E]
    let storage: [UInt8] = [64, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 256)
    let file = start + version + system + Array(bytes) + keys + storage + storage
    file.withUnsafeBytes { scene.write("model.pt", $0) }
    readWhole("model.pt")
  }

  /// The `.metadata` of a distributed checkpoint, beside the files of its ranks.
  func distributed(_ bytes: UnsafeRawBufferPointer) {
    scene.write("distributed/.metadata", bytes)
    readWhole("distributed")
  }

  /// One rank's file of a distributed checkpoint, beside the others.
  func distributedPart(_ bytes: UnsafeRawBufferPointer) {
    scene.write("distributedPart/__1_0.distcp", bytes)
    readWhole("distributedPart")
  }

  private func readWhole(_ name: String) {
    expectVPatchError {
      let checkpoint = try Containers.open(scene[name])
      accept()
      for tensor in checkpoint.tensors.prefix(64) where tensor.info.byteCount <= 1 << 20 {
        _ = try checkpoint.source(of: tensor).fingerprint()
      }
    }
  }
}
