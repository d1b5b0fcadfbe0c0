import Base
import Checkpoints
import Glibc
import Images
import PatchFormat

/// What is fuzzed: every error is right but one that is no `VPatchError`, and a crash or a hang is what is looked for.
package final class FuzzTargets {
  /// A file in memory: the readers want a file.
  private let descriptor: CInt
  package let path: String
  /// How many inputs were accepted, and how many chunks decoded, so that a run shows that it got behind the digests.
  package private(set) var accepted = 0
  package private(set) var decoded = 0
  /// Files that others need beside them; made when the first of these targets runs.
  lazy var scene = FuzzScene()

  package init() {
    let folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    var template = Array("\(folder)/vpatch-fuzz-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    precondition(descriptor >= 0)
    unlink(template)
    path = "/proc/self/fd/\(descriptor)"
  }

  deinit { close(descriptor) }

  func place(_ bytes: UnsafeRawBufferPointer) {
    precondition(ftruncate(descriptor, off_t(bytes.count)) == 0)
    precondition(bytes.isEmpty || pwrite(descriptor, bytes.baseAddress, bytes.count, 0) == bytes.count)
  }

  /// A checkpoint in one file: its header, and the bytes of its tensors.
  package func safetensors(_ bytes: UnsafeRawBufferPointer) {
    if bytes.count > 8 { _ = try? SafetensorsHeader(text: Array(bytes[8...]), subject: "fuzz") }
    place(bytes)
    expectVPatchError {
      let checkpoint = try SafetensorsCheckpoint(path: path)
      accepted += 1
      for tensor in checkpoint.tensors.prefix(8) { _ = try StoredTensor(tensor, in: checkpoint).fingerprint() }
    }
  }

  /// A patch: opened, every tensor decoded in both directions over zeros.
  package func patch(_ bytes: UnsafeRawBufferPointer) {
    place(bytes)
    expectVPatchError {
      let patch = try Patch(path: path)
      accepted += 1
      for tensor in patch.header.touched {
        for (direction, side) in [(Direction.forward, tensor.base), (.backward, tensor.target)] {
          let source = side.map { Zeros(info: $0.info) }
          guard let result = PatchedTensor(tensor, of: patch, direction, over: { _ in source }),
            result.info.byteCount <= 1 << 20
          else { continue }
          expectVPatchError {
            _ = try result.fingerprint()
            decoded += 1
          }
        }
      }
    }
  }

  /// An image: its header, and its pixels where they are few enough to be quick.
  package func image(_ bytes: UnsafeRawBufferPointer) {
    expectVPatchError {
      let file = try ImageFile(path: "fuzz", bytes: Array(bytes))
      accepted += 1
      guard file.source.width * file.source.height <= 1 << 22 else { return }
      _ = try file.decode()
      decoded += 1
    }
  }

  func accept() { accepted += 1 }

  func expectVPatchError(_ body: () throws -> Void) {
    do { try body() } catch let error as VPatchError {
      precondition(!error.description.utf8.contains(0x0A), "an error of several lines")
    } catch { preconditionFailure("\(type(of: error)): \(error)") }
  }

  /// What decodes chunks has errors of its own, which its callers make those of the patch.
  func expectError(_ body: () throws -> Void) {
    do { try body() } catch {}
  }
}

/// A tensor of bytes that repeat: 0, 0x3F, 0x80, …, which makes sense as most dtypes.
private final class Zeros: TensorSource {
  let info: TensorInfo
  init(info: TensorInfo) { self.info = info }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) {
    let pattern: [UInt8] = [0x00, 0x3F, 0x80, 0xBF, 0x12, 0x00, 0xFF, 0x7F]
    for i in buffer.indices { buffer[i] = pattern[(offset + i) % pattern.count] }
  }
}
