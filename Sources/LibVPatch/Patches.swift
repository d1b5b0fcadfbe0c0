import Base
import CVPatch
import Checkpoints
import PatchFormat
import Report

@_cdecl("vpatch_open")
package func openPatch(
  _ path: UnsafePointer<CChar>?, _ threads: CUnsignedInt, _ patch: UnsafeMutablePointer<OpaquePointer?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    try Handle.give(Patch(path: string(path, "path"), threads: max(1, Int(min(threads, 64)))), patch)
  }
}

@_cdecl("vpatch_close")
package func closePatch(_ patch: OpaquePointer?) { Handle.release(patch, of: Patch.self) }

@_cdecl("vpatch_describe")
package func describePatch(
  _ patch: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let patch = try Handle.value(patch, of: Patch.self)
    try give(patch.json.setting("tensor_list", to: patch.tensorList), json)
  }
}

@_cdecl("vpatch_decode")
package func decodeTensor(
  _ patch: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ direction: vpatch_direction,
  _ input: UnsafeRawPointer?, _ inputBytes: Int, _ output: UnsafeMutableRawPointer?, _ outputBytes: Int,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let patch = try Handle.value(patch, of: Patch.self)
    let name = try string(name, "name")
    guard let tensor = patch.tensor(named: name) else {
      throw Misuse("the patch has no tensor \"\(name.printable)\"")
    }
    guard inputBytes >= 0, outputBytes >= 0, input != nil || inputBytes == 0, output != nil || outputBytes == 0 else {
      throw Misuse("input or output is NULL, or larger than memory")
    }
    try patch.decode(
      tensor, direction == VPATCH_FORWARD ? .forward : .backward,
      from: UnsafeRawBufferPointer(start: input, count: inputBytes),
      into: UnsafeMutableRawBufferPointer(start: output, count: outputBytes))
  }
}

extension Patch {
  /// All tensors of both sides, as `vpatch_describe` lists them.
  fileprivate var tensorList: JSON {
    .array(
      header.tensors.map { tensor in
        let info = (tensor.base ?? tensor.target)!.info
        return .array([
          .string(tensor.name), .string(tensor.operation.rawValue), .string(info.dtype.name),
          .array(info.shape.map { JSON($0) }), tensor.base.map { .string($0.fingerprint.hex) } ?? .null,
          tensor.target.map { .string($0.fingerprint.hex) } ?? .null, JSON(tensor.storedBytes),
        ])
      })
  }
}
