// An entry of the header's list "adapter" (spec, section 3.5):
//
//   {"name", "dtype", "shape", "fingerprint", "chunks": [["a", offset, stored, decoded, digest], …]}

import Base
import Checkpoints

extension AdapterTensor {
  /// - Throws: `Malformed`.
  init(parsing json: JSON) throws {
    let owner = json["name"]?.string.map { "the adapter's tensor \"\($0.printable)\"" } ?? "a tensor of the adapter"
    let members = try ObjectReader<Malformed>(json, of: owner)
    let name = try members.string("name")
    guard TensorInfo.isValidName(name) else {
      throw Malformed("has a tensor name of the adapter that is empty, too long, reserved or holds NUL")
    }
    tensor = try PatchHeader.side(members, owner, name, nil)
    chunks = try members.list("chunks").map { try PatchHeader.chunk($0, owner) }
    try members.finish()
    let width = tensor.info.dtype.element.width
    guard
      chunks.allSatisfy({
        $0.role == .adapter && $0.decoded % width == 0 && $0.decoded <= $0.stored * Self.mostDecodedPerStored
      }), chunks.map(\.decoded).sumWithinLimits() == tensor.info.byteCount
    else { throw Malformed("has invalid chunks of \(owner)") }
  }
}

extension PatchHeader {
  /// Checks what the entries say about each other: copies equal the tensors that they name.
  static func checkCopies(_ tensors: [PatchTensor]) throws {
    for tensor in tensors {
      guard let copy = tensor.copy else { continue }
      let owner = "the tensor \"\(tensor.name.printable)\""
      guard let original = tensors.element(named: copy, by: \.name), original.copy == nil else {
        throw Malformed("has \(owner) as the copy of a tensor that is missing, or a copy itself")
      }
      for (own, other) in [(tensor.base, original.base), (tensor.target, original.target)] {
        guard let own else { continue }
        guard let other, own.isSame(as: other) else {
          throw Malformed("has \(owner) as the copy of a tensor that differs")
        }
      }
    }
  }

  /// Checks that the factors of every tensor are inside the adapter's tensors.
  static func checkFactors(_ tensors: [PatchTensor], _ adapter: [AdapterTensor]) throws {
    let infos = adapter.map(\.tensor.info)
    for tensor in tensors {
      guard let rule = tensor.lowRank, let info = tensor.target?.info else { continue }
      if let problem = rule.problem(of: info, adapter: infos) {
        throw Malformed("has \(problem) for the tensor \"\(tensor.name.printable)\"")
      }
    }
  }
}

extension FingerprintedTensor {
  /// Whether both have the same dtype, shape and bytes, under any names.
  package func isSame(as other: FingerprintedTensor) -> Bool {
    fingerprint == other.fingerprint && info.dtype == other.info.dtype && info.shape == other.info.shape
      && info.byteCount == other.info.byteCount
  }
}
