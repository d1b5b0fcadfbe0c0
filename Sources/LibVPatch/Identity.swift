import Base
import CVPatch
import Checkpoints

@_cdecl("vpatch_fingerprint")
package func fingerprintTensor(
  _ tensor: UnsafePointer<vpatch_tensor>?, _ hex: UnsafeMutablePointer<CChar>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let (info, bytes) = try GivenTensor.read(tensor, isNamed: false)
    try give(MemoryTensor(info, bytes).fingerprint(), hex)
  }
}

@_cdecl("vpatch_root")
package func rootOfFingerprints(
  _ fingerprints: UnsafePointer<CChar>?, _ hex: UnsafeMutablePointer<CChar>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let members = try object(parsed(fingerprints, "fingerprints"), "fingerprints").members
    let tensors = try members.map { member in
      guard let digest = member.value.string.flatMap(ContentDigest.init(hex:)) else {
        throw Misuse("the fingerprint of \"\(member.key.printable)\" is not one of 64 hexadecimal digits")
      }
      return (name: member.key, fingerprint: digest)
    }
    try give(ContentDigest.root(of: tensors.sorted { $0.name.precedes($1.name) }), hex)
  }
}

@_cdecl("vpatch_checkpoint")
package func describeCheckpoint(
  _ path: UnsafePointer<CChar>?, _ hashes: CInt, _ threads: CUnsignedInt,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> vpatch_status {
  call(message) {
    let checkpoint = try Containers.open(string(path, "path"))
    func entry(_ info: TensorInfo, _ digest: ContentDigest? = nil) -> JSON {
      .array(
        [.string(info.name), .string(info.dtype.name), .array(info.shape.map { JSON($0) })]
          + (digest.map { [.string($0.hex)] } ?? []))
    }
    guard hashes != 0 else {
      return try give(.dictionary(["tensors": .array(checkpoint.tensors.map { entry($0.info) })]), json)
    }
    let work = WorkOptions(threads: Int(min(threads, 64)))
    let digests = try checkpoint.fingerprints(of: checkpoint.tensors, work, phase: "hashing")
    let pairs = zip(checkpoint.tensors, digests)
    try give(
      .dictionary([
        "root": .string(ContentDigest.root(of: pairs.lazy.map { ($0.name, $1) }).hex),
        "tensors": .array(pairs.map { entry($0.info, $1) }),
      ]), json)
  }
}

/// A tensor that a caller gives.
enum GivenTensor {
  /// - Parameter isNamed: whether it needs a name.
  static func read(
    _ tensor: UnsafePointer<vpatch_tensor>?, isNamed: Bool
  ) throws -> (TensorInfo, UnsafeRawBufferPointer) {
    guard let tensor = tensor?.pointee else { throw Misuse("the tensor is NULL") }
    let name = isNamed ? try string(tensor.name, "the tensor's name") : "tensor"
    guard TensorInfo.isValidName(name) else { throw Misuse("\"\(name.printable)\" cannot be a tensor's name") }
    let dtypeName = try string(tensor.dtype, "the tensor's dtype")
    guard (0...64).contains(tensor.rank) else {
      throw Misuse("\"\(name.printable)\" has \(tensor.rank) dimensions; at most 64 are read")
    }
    let shape = UnsafeBufferPointer(start: tensor.shape, count: tensor.shape == nil ? 0 : tensor.rank).map(Int.init)
    guard shape.count == tensor.rank, shape.allSatisfy({ $0 >= 0 }) else {
      throw Misuse("\"\(name.printable)\" has an invalid shape")
    }
    guard let dtype = DType(dtypeName), dtype.isKnown else {
      throw Misuse("\"\(name.printable)\" has the dtype \"\(dtypeName.printable)\", which vpatch does not know")
    }
    guard TensorInfo.byteCount(dtype: dtype, shape: shape) == tensor.byte_count,
      tensor.bytes != nil || tensor.byte_count == 0
    else {
      throw Misuse("\"\(name.printable)\" has \(tensor.byte_count) bytes, which do not fit \(dtype) \(shape)")
    }
    return (
      TensorInfo(name: name, dtype: dtype, shape: shape, byteCount: tensor.byte_count),
      UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byte_count)
    )
  }
}
